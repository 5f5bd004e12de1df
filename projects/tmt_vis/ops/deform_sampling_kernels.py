"""Triton kernels of deformable attention; importing this file needs triton.

A program takes a block of queries of one head of one frame. It reads four pixels per
sample, D numbers each, and keeps sums in registers: nothing but the results is written.
Shapes are those of :func:`tmt_vis.ops.deform_attention`, all tensors are contiguous,
``levels`` is ``LevelLayout.extents``. Offsets within a frame have 32 bits, those of
frames 64.
"""

import triton
import triton.language as tl

# Compiled for all sizes at once: clips of many sizes are trained on.
_SIZES = ("num_pixels", "num_queries")


@triton.jit(do_not_specialize=_SIZES)
def attend_kernel(
    value,
    levels,
    x,
    y,
    weights,
    out,
    num_pixels,
    num_queries,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
):
    """Write the weighted sums of samples, ``(B, Q, M*D)``."""
    row: tl.constexpr = HEADS * DIM
    samples: tl.constexpr = LEVELS * POINTS
    query, is_query, channel = _queries(num_queries, BLOCK_QUERIES, BLOCK_DIM)
    pixels = value + _start(num_pixels, HEADS, DIM) + channel
    sums = out + _start(num_queries, HEADS, DIM) + query[:, None] * row + channel
    own = _start(num_queries, HEADS, samples)
    x, y, weights = x + own, y + own, weights + own
    is_channel = channel < DIM
    total = tl.zeros((BLOCK_QUERIES, BLOCK_DIM), tl.float32)
    for level in range(LEVELS):
        height, width, first = _level(levels, level)
        for point in tl.static_range(POINTS):
            sample = query * (HEADS * samples) + level * POINTS + point
            weight = tl.load(weights + sample, mask=is_query, other=0.0)
            top, low = _split(y + sample, is_query, height)
            left, right = _split(x + sample, is_query, width)
            for corner in tl.static_range(4):
                share = weight * _side(low, corner // 2) * _side(right, corner % 2)
                down, across = top + corner // 2, left + corner % 2
                pixel, inside = _pixel(down, across, height, width)
                mask = (inside & is_query)[:, None] & is_channel
                place = ((first + pixel) * row)[:, None]
                read = tl.load(pixels + place, mask=mask, other=0.0).to(tl.float32)
                total += share[:, None] * read
    mask = is_query[:, None] & is_channel
    tl.store(sums, total.to(out.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=_SIZES)
def attend_backward_kernel(
    value,
    levels,
    x,
    y,
    weights,
    grad,
    value_grad,
    x_grad,
    y_grad,
    weight_grad,
    num_pixels,
    num_queries,
    HEADS: tl.constexpr,
    DIM: tl.constexpr,
    LEVELS: tl.constexpr,
    POINTS: tl.constexpr,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_DIM: tl.constexpr,
):
    """Add to the float32 gradient of the values, and write the other three."""
    row: tl.constexpr = HEADS * DIM
    samples: tl.constexpr = LEVELS * POINTS
    query, is_query, channel = _queries(num_queries, BLOCK_QUERIES, BLOCK_DIM)
    pixels = value + _start(num_pixels, HEADS, DIM) + channel
    pixel_grads = value_grad + _start(num_pixels, HEADS, DIM) + channel
    sums = grad + _start(num_queries, HEADS, DIM) + query[:, None] * row + channel
    own = _start(num_queries, HEADS, samples)
    x, y, weights = x + own, y + own, weights + own
    x_grad, y_grad, weight_grad = x_grad + own, y_grad + own, weight_grad + own
    is_channel = channel < DIM
    mask = is_query[:, None] & is_channel
    upstream = tl.load(sums, mask=mask, other=0.0).to(tl.float32)
    for level in range(LEVELS):
        height, width, first = _level(levels, level)
        for point in tl.static_range(POINTS):
            sample = query * (HEADS * samples) + level * POINTS + point
            weight = tl.load(weights + sample, mask=is_query, other=0.0)
            top, low = _split(y + sample, is_query, height)
            left, right = _split(x + sample, is_query, width)
            value_at = tl.zeros_like(upstream)
            slope_x, slope_y = value_at, value_at
            for corner in tl.static_range(4):
                of_y, of_x = _side(low, corner // 2), _side(right, corner % 2)
                down, across = top + corner // 2, left + corner % 2
                pixel, inside = _pixel(down, across, height, width)
                mask = (inside & is_query)[:, None] & is_channel
                place = ((first + pixel) * row)[:, None]
                read = tl.load(pixels + place, mask=mask, other=0.0).to(tl.float32)
                value_at += (of_x * of_y)[:, None] * read
                slope_x += (of_y * (2 * (corner % 2) - 1))[:, None] * read
                slope_y += (of_x * (2 * (corner // 2) - 1))[:, None] * read
                part = (weight * of_x * of_y)[:, None] * upstream
                tl.atomic_add(pixel_grads + place, part, mask=mask, sem="relaxed")
            by_x = weight * tl.sum(slope_x * upstream, axis=1)
            by_y = weight * tl.sum(slope_y * upstream, axis=1)
            by_weight = tl.sum(value_at * upstream, axis=1)
            tl.store(x_grad + sample, by_x, mask=is_query)
            tl.store(y_grad + sample, by_y, mask=is_query)
            tl.store(weight_grad + sample, by_weight, mask=is_query)


@triton.jit
def _queries(num_queries, BLOCK_QUERIES: tl.constexpr, BLOCK_DIM: tl.constexpr):
    """Return the queries of this program, which of them exist, and the channels."""
    query = tl.program_id(0) * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    return query, query < num_queries, tl.arange(0, BLOCK_DIM)[None, :]


@triton.jit
def _start(length, HEADS: tl.constexpr, PER_HEAD: tl.constexpr):
    """Return where this frame and head begin in ``(B, length, M, PER_HEAD)``."""
    frame = tl.program_id(2).to(tl.int64)
    return frame * length * (HEADS * PER_HEAD) + tl.program_id(1) * PER_HEAD


@triton.jit
def _level(levels, level):
    """Return height, width and first pixel of a level."""
    entry = levels + 3 * level
    return tl.load(entry), tl.load(entry + 1), tl.load(entry + 2)


@triton.jit
def _split(positions, is_query, length):
    """Read positions; return the pixels below them, and how far above they are.

    A position far off is moved to where both neighbours are still outside. As an
    integer it could be any number, and infinity would have no fraction.
    """
    position = tl.load(positions, mask=is_query, other=0.0)
    position = tl.minimum(tl.maximum(position, -2.0), length.to(tl.float32))
    below = tl.floor(position)
    return below.to(tl.int32), position - below


@triton.jit
def _side(fraction, FAR: tl.constexpr):
    """Return the share of the near or of the far one of two neighbours."""
    if FAR:
        return fraction
    else:
        return 1 - fraction


@triton.jit
def _pixel(row, column, height, width):
    """Return the number of a pixel in its level, and whether there is such a pixel."""
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return row * width + column, inside
