"""Where the pixels of several feature levels lie in one table."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tmt_vis.typedefs import Size

# Zeros around every level: a sample outside of it reads them, and no corner has to be
# tested for being inside.
_BORDER = 2


@dataclass(frozen=True)
class LevelLayout:
    """Where the pixels of all levels lie in one table with zeros between them.

    All levels have the same distance ``pitch`` from row to row, so that the right and
    the lower neighbour of any pixel are at the same distance in the table, whatever its
    level. The zeros right of a row are those left of the next one.

    Args:
        sizes: ``(h, w)`` of the L levels.
        heads: attention heads M.
        points: samples P per head and level.
        device: of the tables.
    """

    sizes: tuple[Size, ...]
    heads: int
    points: int
    device: torch.device

    @property
    def samples(self) -> int:
        """Samples per query: ``E = M * L * P``."""
        return self.heads * len(self.sizes) * self.points

    @property
    def pitch(self) -> int:
        """Cells from one row of pixels to the next."""
        return max(width for _, width in self.sizes) + _BORDER

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First cell of each level, and behind the last one."""
        starts = [0]
        for height, _ in self.sizes:
            starts.append(starts[-1] + (height + _BORDER) * self.pitch)
        return tuple(starts)

    @property
    def cells(self) -> int:
        """Cells of one frame."""
        return self.starts[-1] + _BORDER * (self.pitch + 1)

    @cached_property
    def origin(self) -> Tensor:
        """Table row of pixel (0, 0) of each sample's head and level, ``(E,)`` int32."""
        corner = _BORDER * (self.pitch + 1)
        cells = torch.tensor([start + corner for start in self.starts[:-1]])
        rows = cells[:, None] * self.heads + torch.arange(self.heads)[:, None, None]
        return self._per_sample(rows).to(torch.int32)

    @cached_property
    def bounds(self) -> tuple[Tensor, Tensor, Tensor]:
        """Lowest position, highest x, highest y of each sample, ``(E,)`` each.

        A position beyond them reads zeros only, as at the bound itself.
        """
        sizes = torch.tensor(self.sizes, dtype=torch.float32)
        highest_y, highest_x = (self._per_sample(part[:, None]) for part in sizes.T)
        return torch.full_like(highest_x, -_BORDER), highest_x, highest_y

    @cached_property
    def extents(self) -> Tensor:
        """Height, width and first pixel of each level, ``(L, 3)`` int32.

        Pixels are counted without the zeros around levels.
        """
        first, rows = 0, []
        for height, width in self.sizes:
            rows.append((height, width, first))
            first += height * width
        return torch.tensor(rows, dtype=torch.int32).to(self.device)

    @property
    def neighbours(self) -> tuple[int, int, int, int]:
        """Rows from a pixel to itself, right, below, below right."""
        right, below = self.heads, self.heads * self.pitch
        return 0, right, below, below + right

    def spread(self, value: Tensor) -> Tensor:
        """Copy ``(B, N, M, D)`` pixels of all levels to ``(B, cells, M, D)``."""
        table = value.new_zeros(len(value), self.cells, *value.shape[2:])
        for pixels, place in self._levels(value, table):
            place.copy_(pixels)
        return table

    def gather(self, table: Tensor) -> Tensor:
        """Copy the pixels back: the transpose of :meth:`spread`."""
        num_pixels = sum(height * width for height, width in self.sizes)
        value = table.new_empty(len(table), num_pixels, *table.shape[2:])
        for pixels, place in self._levels(value, table):
            pixels.copy_(place)
        return value

    def _levels(self, value: Tensor, table: Tensor) -> list[tuple[Tensor, Tensor]]:
        pairs, first = [], 0
        for (height, width), start in zip(self.sizes, self.starts[:-1], strict=True):
            pixels = value.narrow(1, first, height * width)
            first += height * width
            rows = table.narrow(1, start, (height + _BORDER) * self.pitch)
            rows = rows.unflatten(1, (height + _BORDER, self.pitch))
            place = rows[:, _BORDER:, _BORDER : _BORDER + width]
            pairs.append((pixels.unflatten(1, (height, width)), place))
        return pairs

    def _per_sample(self, levels: Tensor) -> Tensor:
        shape = (self.heads, len(self.sizes), self.points)
        return levels.expand(shape).flatten().to(self.device)
