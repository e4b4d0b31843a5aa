"""Vector code for one plane under one small kernel: sums over taps, taken from a row of pixels and its shifted views.

Pixels are taken in blocks of BLOCK, whatever the dtype and the width of the vectors, so that neither reaches the bits. Each tap
of each block has a mask of BLOCK bits: where a bit is 0, no pixel stands under the tap, nothing is read, and the sum is left as
it is: what is padded is never multiplied, and no memory beyond a plane is touched. A block's row of masks begins with that of
the pixels that exist at all, and with 1 where all masks are whole.

Places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, VECTOR_BYTES, _Emitter, _same_dtype, vector_code

BLOCK = 16  # pixels
SOON = 1024  # elements further on: lines that are asked for while a row of a few hundred is parted
MASKS_ARE_BITS = VECTOR_BYTES == 64  # AVX-512 has registers for them, and operations that take them; others compare lanes
TAPS = (9, 4, 2, 1)  # that are taken at once: their weights, or sums, stay in registers
_ALIGNMENT = ir.IntType(32)


class _MaskedEmitter(_Emitter):
    """Reads and writes vectors in part; a block is ``parts`` vectors."""

    def __init__(self, context, builder, dtype):
        super().__init__(context, builder, dtype)
        self.parts = BLOCK // self.lanes
        self.kind = ir.VectorType(ir.IntType(1), self.lanes)
        self.zero, self.negative_zero = (ir.Constant(self.vector, [zero] * self.lanes) for zero in (0.0, -0.0))
        pointer, name = self.vector.as_pointer(), f"v{self.lanes}f{dtype.bitwidth}.p0"
        reads = ir.FunctionType(self.vector, [pointer, _ALIGNMENT, self.kind, self.vector])
        writes = ir.FunctionType(ir.VoidType(), [self.vector, pointer, _ALIGNMENT, self.kind])
        self.masked_load = self.declare(reads, f"llvm.masked.load.{name}")
        self.masked_store = self.declare(writes, f"llvm.masked.store.{name}")

    def masks(self, pointer, at):
        """Return the masks of a block's vectors."""
        bits = self.builder.load(self.builder.gep(pointer, [at]))
        if MASKS_ARE_BITS:
            parts = [self.builder.lshr(bits, bits.type(part * self.lanes)) for part in range(self.parts)]
            return [self.builder.bitcast(self.builder.trunc(part, ir.IntType(self.lanes)), self.kind) for part in parts]
        lane = ir.VectorType(ir.IntType(8 * self.itemsize), self.lanes)
        undefined = ir.Constant(lane, ir.Undefined)
        wide = self.builder.insert_element(undefined, self.builder.zext(bits, lane.element), ir.IntType(32)(0))
        wide, none = self.shuffle(wide, undefined, [0] * self.lanes), ir.Constant(lane, [0] * self.lanes)
        places = [[1 << part * self.lanes + i for i in range(self.lanes)] for part in range(self.parts)]
        return [self.builder.icmp_signed("!=", self.builder.and_(wide, ir.Constant(lane, place)), none) for place in places]

    def first(self, count):
        """Return the mask of the first ``count`` lanes."""
        lane = ir.VectorType(ir.IntType(8 * self.itemsize), self.lanes)
        undefined = ir.Constant(lane, ir.Undefined)
        count = count if self.itemsize == 8 else self.builder.trunc(count, lane.element)
        limit = self.shuffle(self.builder.insert_element(undefined, count, ir.IntType(32)(0)), undefined, [0] * self.lanes)
        return self.builder.icmp_signed("<", ir.Constant(lane, list(range(self.lanes))), limit)

    def between(self, begin, end):
        """Return the mask of the lanes ``begin <= lane < end``, none if there are none."""
        kind = ir.VectorType(ir.IntType(32), self.lanes)
        undefined, lane = ir.Constant(kind, ir.Undefined), ir.Constant(kind, list(range(self.lanes)))
        limits = [self.builder.trunc(place, kind.element) for place in (begin, end)]
        limits = [self.builder.insert_element(undefined, limit, ir.IntType(32)(0)) for limit in limits]
        limits = [self.shuffle(limit, undefined, [0] * self.lanes) for limit in limits]
        after, before = self.builder.icmp_signed(">=", lane, limits[0]), self.builder.icmp_signed("<", lane, limits[1])
        return self.builder.and_(after, before)

    def read(self, pointer, at, mask):
        """Load the lanes of a mask, or all if it is None."""
        if mask is None:
            return self.load(pointer, at, self.vector)
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), self.vector.as_pointer())
        return self.builder.call(self.masked_load, [place, _ALIGNMENT(self.itemsize), mask, self.zero])

    def write(self, value, pointer, at, mask):
        """Store the lanes of a mask, or all if it is None."""
        if mask is None:
            self.store(value, pointer, at)
            return
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), self.vector.as_pointer())
        self.builder.call(self.masked_store, [value, place, _ALIGNMENT(self.itemsize), mask])

    def each_masked(self, count, write):
        """Call ``write(place, mask)`` for vectors until each of the elements is written."""
        builder, whole = self.builder, self.builder.and_(count, _INDEX(-self.lanes))
        with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(self.lanes), intp=_INDEX) as (i, _):
            write(i, None)
        rest = builder.sub(count, whole)
        with builder.if_then(builder.icmp_signed(">", rest, _INDEX(0))):
            write(whole, self.first(rest))

    def add_product(self, mask, one, other, cell):
        """``cell += one * other`` in the lanes of the mask; in all others ``other`` must be 0."""
        held = self.builder.load(cell)
        if MASKS_ARE_BITS:
            total = self.builder.select(mask, self.builder.call(self.fma, [one, other, held]), held)
        else:  # the other lanes add -0, which changes nothing, and no sum waits for a choice
            total = self.builder.call(self.fma, [self.builder.select(mask, one, self.negative_zero), other, held])
        self.builder.store(total, cell)


@vector_code
def sum_taps(
    typing_context,
    planes,
    runs,
    runs_at,
    taps,
    resume,
    begin,
    begin_at,
    weight,
    weight_at,
    area,
    x,
    x_at,
    steps,
    steps_at,
    masks,
    masks_at,
    tap,
    row,
    to,
    to_at,
):
    """``to[p] = begin[k] + sum over t of weight[k * area + place[t]] * x[p + shift[t]]`` for pixels p of ``planes`` planes k.

    Planes lie one behind the other. ``runs`` holds three numbers for each: its first block, the end of the blocks that it has
    for itself, and, if it shares the next one with the plane that follows, the mask of the pixels there that are not its own.

    One chain of fused multiply-adds in the order of the ``taps`` taps, one of TAPS; it starts from what ``to`` holds if
    ``resume`` is not 0. ``steps`` holds shift and place of one tap after the other. ``masks_at`` is the place of the first
    block's row of masks, ``row`` the length of each, and ``tap`` the number of the first tap in it.
    """
    dtype = _same_dtype(begin, weight, x, to)
    place = types.int64
    arrays = (begin, place, weight, place, place, x, place, steps, place, masks, place)
    signature = types.void(place, runs, place, place, place, *arrays, place, place, to, place)

    def generate(context, builder, signature, arguments):
        planes, taps, resume, area, tap, row = (arguments[i] for i in (0, 3, 4, 9, 16, 17))
        emitter = _MaskedEmitter(context, builder, dtype)
        arrays = [emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (1, 5, 7, 10, 12, 14, 18)]
        runs, begin, weight, x, steps, masks, to = arrays
        resumes = builder.icmp_signed("!=", resume, _INDEX(0))
        for count in TAPS:
            with builder.if_then(builder.icmp_signed("==", taps, _INDEX(count))):
                views = [builder.gep(x, [builder.load(builder.gep(steps, [_INDEX(2 * t)]))]) for t in range(count)]
                places = [builder.gep(steps, [_INDEX(2 * t + 1)]) for t in range(count)]
                with cgutils.for_range(builder, planes, intp=_INDEX) as plane:
                    run = builder.gep(runs, [builder.mul(plane.index, _INDEX(3))])
                    first, end, other = (builder.zext(builder.load(builder.gep(run, [_INDEX(i)])), _INDEX) for i in range(3))
                    at, length = builder.mul(first, _INDEX(BLOCK)), builder.sub(end, first)
                    arrays = [
                        builder.gep(masks, [builder.mul(first, row)]),
                        *(builder.gep(view, [at]) for view in (to, *views)),
                    ]
                    own = _numbers(emitter, plane.index, begin, weight, area, places)
                    with cgutils.for_range(builder, length, intp=_INDEX) as loop:
                        _sum_block(emitter, loop.index, row, tap, resumes, [[one] * emitter.parts for one in own], *arrays)
                    with builder.if_then(builder.icmp_signed("!=", other, _INDEX(0))):
                        following = _numbers(emitter, builder.add(plane.index, _INDEX(1)), begin, weight, area, places)
                        others = emitter.masks(run, _INDEX(2))
                        mixed = [[builder.select(mask, two, one) for mask in others] for one, two in zip(own, following)]
                        _sum_block(emitter, length, row, tap, resumes, mixed, *arrays)
        return context.get_dummy_value()

    return signature, generate


def _numbers(emitter, k, begin, weight, area, places):
    """Return vectors of what the chains of plane k begin with, and of its weights."""
    builder = emitter.builder
    own = builder.gep(weight, [builder.mul(k, area)])
    numbers = [builder.gep(begin, [k]), *(builder.gep(own, [builder.load(place)]) for place in places)]
    return [emitter.broadcast(builder.load(number)) for number in numbers]


def _sum_block(emitter, block, row, tap, resumes, numbers, masks, to, *views):
    """One block of `sum_taps`: a register or more from its start to the store. Each has numbers of its own."""
    builder = emitter.builder
    rows = _Masks(emitter, builder.gep(masks, [builder.mul(block, row)]), tap)
    places = [builder.add(builder.mul(block, _INDEX(BLOCK)), _INDEX(i * emitter.lanes)) for i in range(emitter.parts)]
    cells = [cgutils.alloca_once(builder, emitter.vector) for _ in places]
    begins, factors = numbers[0], numbers[1:]
    for cell, begin in zip(cells, begins):
        builder.store(begin, cell)
    with builder.if_then(resumes):
        for cell, place, mask in zip(cells, places, rows.existing()):
            builder.store(emitter.read(to, place, mask), cell)
    with builder.if_else(rows.whole()) as (whole, parted):
        with whole:
            for factor, view in zip(factors, views):
                for cell, place, one in zip(cells, places, factor):
                    held = [one, emitter.load(view, place, emitter.vector), builder.load(cell)]
                    builder.store(builder.call(emitter.fma, held), cell)
            for cell, place in zip(cells, places):
                emitter.store(builder.load(cell), to, place)
        with parted:
            for t, (factor, view) in enumerate(zip(factors, views)):
                for cell, place, one, mask in zip(cells, places, factor, rows.of(t)):
                    emitter.add_product(mask, one, emitter.read(view, place, mask), cell)
            with builder.if_else(rows.all_exist()) as (full, partial):
                with full:
                    for cell, place in zip(cells, places):
                        emitter.store(builder.load(cell), to, place)
                with partial:  # some CPUs take long to write vectors in part
                    for cell, place, mask in zip(cells, places, rows.existing()):
                        emitter.write(builder.load(cell), to, place, mask)


class _Masks:
    """A block's masks: of the pixels that exist, whether all masks are whole, and of all taps."""

    def __init__(self, emitter, pointer, tap):
        self.emitter, self.builder, self.pointer, self.tap = emitter, emitter.builder, pointer, tap

    def of(self, t):
        return self.emitter.masks(self.builder.gep(self.pointer, [self.tap]), _INDEX(2 + t))

    def existing(self):
        return self.emitter.masks(self.pointer, _INDEX(0))

    def all_exist(self):
        bits = self._column(0)
        return self.builder.icmp_unsigned("==", bits, bits.type((1 << BLOCK) - 1))

    def whole(self):
        flag = self._column(1)
        return self.builder.icmp_unsigned("!=", flag, flag.type(0))

    def _column(self, index):
        return self.builder.load(self.builder.gep(self.pointer, [_INDEX(index)]))


@vector_code
def add_products(
    typing_context,
    planes,
    apart,
    blocks,
    taps,
    grad,
    grad_at,
    x,
    x_at,
    steps,
    steps_at,
    masks,
    masks_at,
    tap,
    row,
    sums,
    sums_at,
    sums_apart,
):
    """``sums[t, p % BLOCK] += sum over p of grad[p] * x[p + shift[t]]`` for the pixels p of ``blocks`` blocks.

    So for each of ``planes`` planes, which are ``apart`` in ``grad`` and in ``x``. A lane is one chain of fused multiply-adds
    in the order of the blocks, started at 0 and added to what ``sums`` holds. Taps, shifts and masks as in `sum_taps`.
    """
    dtype = _same_dtype(grad, x, sums)
    place = types.int64
    arrays = (grad, place, x, place, steps, place, masks, place)
    signature = types.void(*[place] * 4, *arrays, place, place, sums, place, place)

    def generate(context, builder, signature, arguments):
        planes, apart, blocks, taps, tap, row = (arguments[i] for i in (0, 1, 2, 3, 12, 13))
        emitter = _MaskedEmitter(context, builder, dtype)
        arrays = [emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (4, 6, 8, 10, 14)]
        steps, masks = arrays[2:4]
        for count in TAPS:
            with builder.if_then(builder.icmp_signed("==", taps, _INDEX(count))):
                shifts = [builder.load(builder.gep(steps, [_INDEX(2 * t)])) for t in range(count)]
                with cgutils.for_range(builder, planes, intp=_INDEX) as plane:
                    own = zip((arrays[0], arrays[1], arrays[4]), (apart, apart, arguments[-1]))
                    grad, x, sums = (builder.gep(array, [builder.mul(plane.index, step)]) for array, step in own)
                    views = [builder.gep(x, [shift]) for shift in shifts]
                    for part in range(emitter.parts):
                        cells = [cgutils.alloca_once(builder, emitter.vector) for _ in views]
                        for cell in cells:
                            builder.store(emitter.zero, cell)
                        with cgutils.for_range(builder, blocks, intp=_INDEX) as loop:
                            rows = _Masks(emitter, builder.gep(masks, [builder.mul(loop.index, row)]), tap)
                            at = builder.add(builder.mul(loop.index, _INDEX(BLOCK)), _INDEX(part * emitter.lanes))
                            _add_block(emitter, part, at, grad, views, rows, cells)
                        for t, cell in enumerate(cells):
                            at = _INDEX(t * BLOCK + part * emitter.lanes)
                            total = builder.fadd(emitter.load(sums, at, emitter.vector), builder.load(cell))
                            emitter.store(total, sums, at)
        return context.get_dummy_value()

    return signature, generate


def _add_block(emitter, part, at, grad, views, rows, cells):
    """One vector of a block of `add_products`."""
    builder = emitter.builder
    with builder.if_else(rows.whole()) as (whole, parted):
        with whole:
            value = emitter.load(grad, at, emitter.vector)
            for view, cell in zip(views, cells):
                seen = emitter.load(view, at, emitter.vector)
                builder.store(builder.call(emitter.fma, [value, seen, builder.load(cell)]), cell)
        with parted:
            value = emitter.read(grad, at, rows.existing()[part])
            for t, (view, cell) in enumerate(zip(views, cells)):
                mask = rows.of(t)[part]
                emitter.add_product(mask, value, emitter.read(view, at, mask), cell)


@vector_code
def part_row(typing_context, source, source_at, count, to, even_at, odd_at):
    """``to[even_at + i] = source[2 * i]`` and ``to[odd_at + i] = source[2 * i + 1]`` for a row of ``count`` elements.

    Whole vectors are written: up to BLOCK - 1 elements behind each half's last are overwritten.
    """
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, place, to, place, place)

    def generate(context, builder, signature, arguments):
        emitter = _MaskedEmitter(context, builder, dtype)
        source = emitter.address(signature.args[0], *arguments[:2])
        halves = [emitter.address(signature.args[3], arguments[3], arguments[i]) for i in (4, 5)]
        _part(emitter, source, arguments[2], halves)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def part_row_between(typing_context, source, source_at, count, around, to, even_at, odd_at):
    """Do as `part_row`, and ask for lines that follow; what is written behind each half's last is ``around``."""
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, place, dtype, to, place, place)

    def generate(context, builder, signature, arguments):
        emitter = _MaskedEmitter(context, builder, dtype)
        emitter.zero = emitter.broadcast(arguments[3])  # what a masked load puts in the other lanes
        source = emitter.address(signature.args[0], *arguments[:2])
        halves = [emitter.address(signature.args[4], arguments[4], arguments[i]) for i in (5, 6)]
        _part(emitter, source, arguments[2], halves, SOON)
        return context.get_dummy_value()

    return signature, generate


def _part(emitter, source, count, halves, ahead=0):
    """Write the even and the odd elements of a row to two halves; lines ``ahead`` are asked for meanwhile, if that is not 0."""
    builder, lanes = emitter.builder, emitter.lanes
    for index, masks in _pairs_of_vectors(emitter, count):
        at = [builder.add(builder.mul(index, _INDEX(2 * lanes)), _INDEX(i * lanes)) for i in (0, 1)]
        both = [emitter.read(source, *place_and_mask) for place_and_mask in zip(at, masks)]
        for i in at if ahead else ():
            emitter.fetch(source, builder.add(i, _INDEX(ahead)))
        for half, to in enumerate(halves):
            value = emitter.shuffle(both[0], both[1], [2 * lane + half for lane in range(lanes)])
            emitter.store(value, to, builder.mul(index, _INDEX(lanes)))


@vector_code
def join_row(typing_context, source, even_at, odd_at, to, to_at, count):
    """``to[to_at + 2 * i] = source[even_at + i]`` and ``to[to_at + 2 * i + 1] = source[odd_at + i]`` for ``count`` elements.

    Whole vectors are read: up to BLOCK - 1 elements behind each half's last.
    """
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, place, to, place, place)

    def generate(context, builder, signature, arguments):
        emitter = _MaskedEmitter(context, builder, dtype)
        halves = [emitter.address(signature.args[0], arguments[0], arguments[i]) for i in (1, 2)]
        to = emitter.address(signature.args[3], *arguments[3:5])
        lanes, count = emitter.lanes, arguments[5]
        for index, masks in _pairs_of_vectors(emitter, count):
            both = [emitter.load(half, builder.mul(index, _INDEX(lanes)), emitter.vector) for half in halves]
            for i in (0, 1):
                order = [lane // 2 + lane % 2 * lanes + i * lanes // 2 for lane in range(lanes)]
                at = builder.add(builder.mul(index, _INDEX(2 * lanes)), _INDEX(i * lanes))
                with builder.if_then(builder.icmp_signed("<", at, count)):  # short rows have nothing in the second vector
                    emitter.write(emitter.shuffle(both[0], both[1], order), to, at, masks[i])
        return context.get_dummy_value()

    return signature, generate


def _pairs_of_vectors(emitter, count):
    """Yield, inside a loop, the index of each pair of vectors that ``count`` elements fill; then the rest's, and its masks."""
    builder, lanes = emitter.builder, emitter.lanes
    whole = builder.sdiv(count, _INDEX(2 * lanes))
    with cgutils.for_range(builder, whole, intp=_INDEX) as loop:
        yield loop.index, (None, None)
    rest = builder.sub(count, builder.mul(whole, _INDEX(2 * lanes)))
    with builder.if_then(builder.icmp_signed(">", rest, _INDEX(0))):
        yield whole, (emitter.first(rest), emitter.first(builder.sub(rest, _INDEX(lanes))))
