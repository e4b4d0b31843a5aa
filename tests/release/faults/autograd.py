"""Faults in Tensors, their derivatives and the backward pass."""

from __future__ import annotations

ENGINE = "autograd/test_engine.py"
DERIVATIVES = "autograd/test_derivatives.py"
TENSOR = "autograd/test_tensor.py"

FAULTS = [
    (
        "rawseg/autograd/engine.py",
        ENGINE,
        [
            ("= for +=", "if tensor.grad is None else tensor.grad + gradient", "if tensor.grad is None else gradient"),
            ("= for +=", "(edge, gradient if before is None else before[1] + gradient)", "(edge, gradient)"),
            ("= for +=", "= gradient if before is None else before + gradient", "= gradient"),
            ("missing step", "gradients[slot] = _replaced(function", "_replaced(function"),
            ("missing step", "gradient = _replaced(function(gradient), gradient)", "_replaced(function(gradient), gradient)"),
            ("wrong order", "(-node.order, node)", "(node.order, node)"),
            ("shared memory", "if memory is None or id(memory) in taken or", "if memory is None or"),
            ("shared memory", "if memory is None or id(memory)", "if id(memory)"),
            ("shared memory", "{id(memory_of(g.array)) for g in", "{id(g.array) for g in"),
            ("missing step", "if not retain:", "if retain:"),
            ("missing check", "if create and not function.second_order:", "if False:"),
            ("missing check", "gradient._meta != want:", "gradient._meta == ():"),
            ("missing check", "if gradient.shape != tensor.shape:", "if gradient.size != tensor.size:"),
            ("missing step", "if targets is None or id(edge) in targets:", "if True:"),
        ],
    ),
    (
        "rawseg/autograd/deferred.py",
        "autograd/test_deferred.py functional/test_fusion.py",
        [
            ("missing step", "            self.sources = ()\n", "            pass\n"),
            (
                "missing step",
                "        if _scope.depth == 0:\n            for result",
                "        if _scope.depth < 0:\n            for result",
            ),
            ("missing check", "return np.may_share_memory(array, source)", "return array is source"),
            ("missing check", "array is not source and array.flags.owndata", "array.flags.owndata"),
            ("missing check", "if _scope.depth == 0 or modes.anomaly:", "if _scope.depth == 0:"),
        ],
    ),
    (
        "rawseg/autograd/tensor.py",
        ENGINE,
        [
            ("missing check", "and not (self._requires_grad or self._version[1])", "and not self._version[1]"),
            ("missing step", "twin._version = self._version", "pass"),
        ],
    ),
    (
        "rawseg/autograd/in_place.py",
        ENGINE,
        [
            ("missing step", "self._version[0] += 1", "pass"),
            ("missing check", "if modes.grad and self._requires_grad:", "if False:"),
        ],
    ),
    (
        "rawseg/autograd/function.py",
        ENGINE,
        [
            ("missing step", "results[0]._version = inputs[0]._version", "pass"),
            ("missing check", "_check_version(function, version, kept._version[0])", "pass"),
            ("missing check", "_check_version(function, 0, version[0])", "pass"),
        ],
    ),
    (
        "rawseg/autograd/function.py",
        "functional/test_fusion.py",
        [("missing check", "if deferred and _waits(tensor._array):", "if deferred:")],
    ),
    (
        "rawseg/functional/normalization.py",
        "functional/test_fusion.py",
        [("missing check", "slope is None or slope.origin is not ctx.origin", "slope is None")],
    ),
    (
        "rawseg/autograd/arithmetic.py",
        DERIVATIVES,
        [
            ("wrong sign", "-grad_output * a / (b * b)", "grad_output * a / (b * b)"),
            ("wrong sign", "sum_to(-grad_output, ctx.shapes[1])", "sum_to(grad_output, ctx.shapes[1])"),
            ("wrong formula", "sum_to(grad_output * a, b.shape)", "sum_to(grad_output * b, b.shape)"),
            ("wrong tie", "half = grad_output * 0.5", "half = grad_output"),
            ("off by one", "x ** (ctx.exponent - 1) * ctx.exponent", "x ** (ctx.exponent - 1) * (ctx.exponent - 1)"),
            ("wrong comparison", "zero_base = (a == 0) & (b >= 0)", "zero_base = (a == 0) & (b > 0)"),
        ],
    ),
    (
        "rawseg/autograd/elementwise.py",
        DERIVATIVES,
        [
            ("wrong comparison", "inside &= x >= low", "inside &= x > low"),
            ("wrong comparison", "inside &= x <= high", "inside &= x < high"),
            ("wrong sign", "return -grad_output * x.sin()", "return grad_output * x.sin()"),
            ("wrong formula", "grad_output * (1 - out * out)", "grad_output * (1 - out)"),
            ("wrong formula", "return grad_output / (out * 2)", "return grad_output / out"),
            ("missing step", "wide(array_module(x).exp, x)", "array_module(x).exp(x)"),
        ],
    ),
    (
        "rawseg/autograd/reductions.py",
        DERIVATIVES,
        [
            ("biased for unbiased", "max(0, count - correction)", "max(0, count)"),
            ("count", "sum(x, axes, keepdim) / count", "sum(x, axes, keepdim) / x.size"),
            ("wrong tie", "ctx.share = chosen / chosen.sum(axis=axes, keepdims=True)", "ctx.share = chosen"),
            (
                "flip or transposition",
                "CumSum.apply(grad_output.flip(ctx.axis), axis=ctx.axis).flip(ctx.axis)",
                "CumSum.apply(grad_output, axis=ctx.axis)",
            ),
            ("NaN rule", "chosen = (x == out) | (x != x)", "chosen = x == out"),
            ("missing step", "where(top.isfinite(), top, 0.0)", "top"),
        ],
    ),
    (
        "rawseg/autograd/reductions.py",
        TENSOR,
        [("wrong order", "_ordered(x).sum(axis=axes, keepdims=keepdims)", "x.sum(axis=axes, keepdims=keepdims)")],
    ),
    (
        "rawseg/autograd/indexing.py",
        DERIVATIVES,
        [("= for +=", "np.add.at(out, index, x)", "out[index] = x")],
    ),
    (
        "rawseg/autograd/shaping.py",
        DERIVATIVES,
        [
            ("flip or transposition", "np.argsort(ctx.axes)", "ctx.axes"),
            ("missing step", "start += size", "start += 0"),
        ],
    ),
    (
        "rawseg/autograd/linear.py",
        DERIVATIVES,
        [
            ("flip or transposition", "MatMul.apply(a, grad_output, turned_a=not", "MatMul.apply(a, grad_output, turned_a="),
            ("flip or transposition", "turned_a=turned_b, turned_b=True)", "turned_a=turned_b, turned_b=False)"),
            ("flip or transposition", "turned_a=True, turned_b=turned_a)\n", "turned_a=True, turned_b=False)\n"),
            ("missing check", "and _as_it_lies(b.array)[1]:", "and False:"),
            ("flip or transposition", "MatMul.apply(grad_output, b, turned_b=not", "MatMul.apply(grad_output, b, turned_b="),
            ("flip or transposition", "turned_a is not lies_turned_a", "turned_a"),
            ("missing step", "grad_x = grad_x if is_matrix else Reshape", "grad_x = grad_x if True else Reshape"),
            ("kept too long", "x if ctx.needs_grad[1] else None, weight", "x, weight"),
            ("missing step", "            out += bias", "            pass"),
            ("missing step", "partial = partial.unsqueeze(axis)", "pass"),
        ],
    ),
    (
        "rawseg/testing/gradients/survey.py",
        "testing/test_gradcheck.py testing/test_verdicts.py testing/test_verdicts_of_numbers.py",
        [
            ("missing check", "suspect | ~(error <= tolerance)", "suspect"),
            ("missing check", "dull or _bent(coarse, fine, u)", "dull"),
            ("missing check", "suspect[at] = dull or ", "suspect[at] = "),
            ("wrong formula", "(4 * fine.value - coarse.value) / 3", "fine.value"),
        ],
    ),
    (
        "rawseg/testing/gradients/differences.py",
        "testing/test_gradcheck.py testing/test_near_kinks.py testing/test_verdicts_of_numbers.py",
        [
            ("missing step", "size = np.where(moved, size, SWALLOWED * size)", "size = np.where(moved, size, 0.0)"),
            ("missing step", "size[still] *= share", "pass"),
            ("missing step", "last = min(last, 1e-3 * x) if x else", "last = last if x else"),
            ("missing step", "spacing *= 8", "break"),
            ("wrong comparison", "max(unit_roundoff(dtype)", "min(unit_roundoff(dtype)"),
            ("shared memory", "one.copy() for one in self.arrays", "one for one in self.arrays"),
        ],
    ),
    (
        "rawseg/testing/gradients/ladder.py",
        "testing/test_near_kinks.py testing/test_verdicts.py testing/test_verdicts_of_numbers.py",
        [
            ("missing step", "truncation[pair] += max(0.0, float(against.max()))", "pass"),
            ("wrong formula", "(steps[:-1] / steps[1:]) ** order - 1", "(steps[:-1] / steps[1:]) ** 2 - 1"),
            ("missing check", " or np.ptp(last) > 0.2 * last.max()", ""),
            ("missing check", "if self.bend[-1] + self.ordinary[-1] * self.outputs[-1] < 0.5 * last.max():", "if False:"),
            ("missing check", "gradient != 0 and self.typical[rung] == 0 and near.any()", "False"),
        ],
    ),
    (
        "rawseg/testing/gradients/verdicts.py",
        "testing/test_near_kinks.py testing/test_verdicts.py testing/test_verdicts_of_numbers.py",
        [
            ("missing step", "for rounding in (ladder.ordinary, ladder.measured):", "for rounding in (ladder.ordinary,):"),
            ("missing step", "(ladder.ordinary, ladder.measured):", "(ladder.measured,):"),
            ("wrong formula", "bend.value / 2 + bend.doubt + own", "abs(left - right) / 2 + bend.doubt + own"),
            ("missing check", 'passed = between and kinks == "subgradient"', 'passed = kinks == "subgradient"'),
        ],
    ),
    (
        "rawseg/testing/gradients/examination.py",
        "testing/test_near_kinks.py testing/test_verdicts.py",
        [
            ("wrong sign", " * rng.choice([-1.0, 1.0], out.shape)", ""),
        ],
    ),
    (
        "rawseg/testing/adapters/recording.py",
        "testing/test_adapters.py",
        [
            ("missing step", "bound.apply_defaults()", "pass"),
            ("shared memory", "np.array(tensor.numpy())", "tensor.numpy()"),
        ],
    ),
    (
        "rawseg/testing/gradients/hints.py",
        "testing/test_hints.py",
        [
            ("missing check", "if wrong.all() or np.count_nonzero(wrong) < 2:", "if wrong.all():"),
            ("wrong formula", "self.tolerance + abs(factor) * change(self.tolerance)", "2 * self.tolerance"),
        ],
    ),
    (
        "rawseg/testing/comparison.py",
        "testing/test_comparison.py",
        [
            ("wrong comparison", "(error <= bound)", "(error <= 2 * bound)"),
            ("NaN rule", "~same & ~(np.isfinite(want)", "~same & ~(np.isfinite(want) | np.isnan(got)"),
            ("missing check", "(got == want) | (np.isnan(got) & np.isnan(want))", "(got == want) | np.isnan(want)"),
        ],
    ),
    (
        "rawseg/testing/repeating.py",
        "testing/test_repeating.py",
        [
            ("missing check", "if not np.array_equal(bits[0], bits[1]):", "if False:"),
            ("missing check", "if len(first) != len(again):", "if False:"),
            ("missing check", "if (one.shape, one.dtype) != (other.shape, other.dtype):", "if one.shape != other.shape:"),
        ],
    ),
    (
        "rawseg/testing/conformance/subject.py",
        "testing/test_unruly.py",
        [
            ("missing check", "before is not None and name not in writes and", "False and"),
            ("missing check", "any(before.tobytes() != after.tobytes() for before, after in zip(some, theirs))", "False"),
            ("shared memory", "None if array is None else copied(array, flag)", "array"),
            ("missing check", "except (Exception, SystemExit) as error:", "except Exception as error:"),
        ],
    ),
    (
        "rawseg/testing/conformance/determinism.py",
        "testing/test_layouts.py testing/test_unruly.py",
        [
            ("missing check", "if said := unequal_bits(names, first, again):", "if said := '':"),
            ("missing step", "_compared(subject, other, ways)", "pass"),
            ("missing step", "ways = [laid_out(direction) for direction in directions]", "ways = directions"),
            ("missing step", "[laid_out(np.full_like(direction, 3)) for direction in directions]", "directions"),
        ],
    ),
    (
        "rawseg/testing/conformance/drawing.py",
        "testing/test_unruly.py",
        [("missing step", "except Flaky:", "except ZeroDivisionError:")],
    ),
    (
        "rawseg/testing/conformance/checks.py",
        "testing/test_conformance.py",
        [
            ("missing check", "if got.shape != want.shape:", "if False:"),
            ("missing check", "if len(got) != len(want):", "if False:"),
        ],
    ),
]
