"""Sizes of the tiles of ``tiles.cuh``, and which one a product is computed by: a rule of its shape alone."""

from __future__ import annotations

from typing import NamedTuple

from .._tensor_cores import PRODUCTS

THREADS = 256


class Tile(NamedTuple):
    """Elements of a thread, and threads of a block side by side."""

    rows: int
    columns: int
    across: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a block's tile."""
        return self.rows * (THREADS // self.across), self.columns * self.across

    def constants(self, products: int) -> dict[str, int]:
        """Return what the file is compiled with: a tile, and how many products of tensor cores stand for one of float32."""
        return {"ROWS": self.rows, "COLUMNS": self.columns, "ACROSS": self.across, "PRODUCTS": products}

    def count(self, rows: int, columns: int) -> tuple[int, int]:
        """Return how many tiles cover a product, down and across."""
        return -(-rows // self.size[0]), -(-columns // self.size[1])


LARGE, SQUARE, FLAT = Tile(8, 8, 16), Tile(4, 4, 16), Tile(4, 4, 32)  # 128 x 128, 64 x 64, 32 x 128
CONSTANTS = tuple(tile.constants(products) for products in PRODUCTS.values() for tile in (LARGE, SQUARE, FLAT))
ENOUGH = 256  # tiles that keep a large GPU busy
LONGEST = 2**30 - 1  # side of a product: indices are ints


def tile_for(rows: int, columns: int, products: int, itemsize: int) -> Tile:
    """Return the tile for this many products: the largest that wastes little and leaves enough of them.

    Parameters
    ----------
    rows, columns : int
        Of one product.
    products : int
        How many are computed at once.
    itemsize : int
        Bytes of an element: 64 sums in float64 leave a thread no registers.
    """
    if rows <= FLAT.size[0]:
        return FLAT
    down, across = LARGE.count(rows, columns)
    whole = down * LARGE.size[0] <= rows * 5 / 4  # few rows beyond the last
    return LARGE if itemsize == 4 and whole and down * across * products >= ENOUGH else SQUARE
