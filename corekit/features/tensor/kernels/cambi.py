"""CAMBI in Triton: the counts of the square windows as products with band matrices, level by level, tile by tile.

A tile's pixels of one luma level are a matrix of 0 and 1. Multiplied by a band of ones from the right and from the left it gives the number
of these pixels in the window around every pixel: two small products on the tensor cores, exact in float16 (at most 65) and float32. A
tile of a real picture holds few levels that matter, those of its own masked pixels and of their neighbours within four steps;
bit sets of the levels in each quarter of a tile, gathered with the mode filter, tell which.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

ROWS, COLUMNS = 4, 128
"""Pixels of a program of the filters."""


class FusedCambi:
    """The tables of one frame format on one device, and the order of the launches.

    The filtered picture of each scale lies in a plane with a margin of half a tile, so that windows are loaded whole.
    """

    def __init__(
        self, shapes: list[tuple[int, int]], pad: int, thresholds: tuple[int, ...], kept: list[int], reciprocals: torch.Tensor
    ) -> None:  # fmt: skip
        self._shapes, self._pad, self._thresholds = shapes, pad, thresholds
        self._reciprocals = reciprocals
        self._size = size = 32 if pad <= 16 else 64
        self._highest = min(thresholds[-1] + 4, 1023)
        self._words = self._highest // 32 + 1
        self._planes = [(-(-rows // size) * size + size, -(-columns // size) * size + size) for rows, columns in shapes]
        self._offsets, self._blocks = [0], [0]
        tiles: list[list[int]] = []
        pools: list[list[int]] = []
        for (rows, columns), (plane_rows, pitch), n_kept in zip(shapes, self._planes, kept, strict=True):
            down, across = plane_rows // (size // 2) - 2, pitch // (size // 2) - 2
            first = len(tiles)
            tiles += (
                [self._offsets[-1], pitch, y, x, self._blocks[-1], down, across, 0]
                for y in range(0, rows, size)
                for x in range(0, columns, size)
            )
            pools.append([first, len(tiles), n_kept])
            self._offsets.append(self._offsets[-1] + plane_rows * pitch)
            self._blocks.append(self._blocks[-1] + down * across)
        self._tiles = torch.tensor(tiles, dtype=torch.int32, device=reciprocals.device)
        self._pools = torch.tensor(pools, dtype=torch.int32, device=reciprocals.device)

    def sums(self, luma: torch.Tensor, bit_depth: int, mask_threshold: int) -> torch.Tensor:
        """Sum of the greatest contrast values of each frame and scale in units of 2^-24, int64, shape ``(n_frames, 5)``."""
        n_frames, device = len(luma), luma.device
        filtered = torch.empty((n_frames, self._offsets[-1]), dtype=torch.int16, device=device)
        levels = torch.zeros((n_frames, self._blocks[-1], self._words), dtype=torch.int32, device=device)
        self._filter(luma, bit_depth, mask_threshold, filtered, levels)
        n_tiles = len(self._tiles)
        needed = torch.empty((n_frames, n_tiles, self._words), dtype=torch.int32, device=device)
        words = torch.empty((n_frames, n_tiles), dtype=torch.int64, device=device)
        _needed_levels[(triton.cdiv(n_tiles, 4), n_frames)](
            levels, self._tiles, needed, words, n_tiles, self._blocks[-1], self._words,
            BLOCK=self._size // 2, WORDS=triton.next_power_of_2(self._words), TILES=4, num_warps=4,
        )  # fmt: skip
        values = torch.empty((n_frames, n_tiles, self._size**2), dtype=torch.float32, device=device)
        parts = torch.empty((n_frames, n_tiles), dtype=torch.int64, device=device)
        positive = torch.empty((n_frames, n_tiles), dtype=torch.int32, device=device)
        _contrast_values[(n_tiles, n_frames)](
            filtered, self._tiles, needed, words, self._reciprocals, values, parts, positive,
            n_tiles, self._offsets[-1], self._words, *self._thresholds, self._pad,
            SIZE=self._size, num_warps=4 if self._size == 32 else 8, enable_fp_fusion=False,
        )  # fmt: skip
        sums = torch.empty((n_frames, len(self._shapes)), dtype=torch.int64, device=device)
        _sum_of_greatest[(len(self._shapes), n_frames)](
            values, parts, positive, self._pools, sums, n_tiles, AREA=self._size**2, num_warps=16
        )
        return sums

    def _filter(
        self, luma: torch.Tensor, bit_depth: int, mask_threshold: int, filtered: torch.Tensor, levels: torch.Tensor
    ) -> None:
        """Luma, mask and mode filter of every scale, and the levels that the blocks of the tiles hold."""
        n_frames, rows, columns = luma.shape
        grid = _grid(rows, columns, n_frames)
        image = luma
        if bit_depth != 10:
            image = torch.empty(luma.shape, dtype=torch.int16, device=luma.device)
            _ten_bits[grid](luma, image, rows, columns, DEPTH=bit_depth, ROWS=ROWS, COLUMNS=COLUMNS)
        flat = torch.empty(luma.shape, dtype=torch.uint8, device=luma.device)
        _flat_row_sums[grid](image, flat, rows, columns, ROWS=ROWS, COLUMNS=COLUMNS)
        margin = self._size // 2
        source, row_step, column_step, frame_step = image, columns, 1, rows * columns
        for scale, ((rows, columns), (plane_rows, pitch)) in enumerate(zip(self._shapes, self._planes, strict=True)):
            plane = filtered[:, self._offsets[scale] :]
            _mode_filter[_grid(plane_rows, pitch, n_frames)](
                source, flat, plane, levels[:, self._blocks[scale] :], rows, columns, plane_rows, pitch,
                row_step, column_step, frame_step, self._offsets[-1], self._blocks[-1] * self._words, self._words,
                mask_threshold, self._highest, MARGIN=margin, FIRST=scale == 0, ROWS=ROWS, COLUMNS=COLUMNS,
            )  # fmt: skip
            source, row_step, column_step = plane[:, margin * pitch + margin :], 2 * pitch, 2
            frame_step = self._offsets[-1]


def _grid(rows: int, columns: int, n_frames: int) -> tuple[int, int, int]:
    return triton.cdiv(columns, COLUMNS), triton.cdiv(rows, ROWS), n_frames


@triton.jit
def _pixels(rows, columns, MARGIN: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Row and column of a program's pixels, counted without the margin, and which of them are in the picture."""
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None] - MARGIN
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :] - MARGIN
    return y, x, (y >= 0) & (y < rows) & (x >= 0) & (x < columns)


@triton.jit(do_not_specialize=["rows", "columns"])
def _ten_bits(luma, image, rows, columns, DEPTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Luma at 10 bits; below 10 bits the mean of each pixel and its right, lower and lower right neighbours."""
    y, x, inside = _pixels(rows, columns, 0, ROWS, COLUMNS)
    frame = tl.program_id(2).to(tl.int64) * rows * columns
    at = y * columns + x
    value = tl.load(luma + frame + at, mask=inside, other=0).to(tl.int32)
    if DEPTH > 10:
        value = (value + (1 << (DEPTH - 11))) >> (DEPTH - 10)
    else:
        right = (x + 1 < columns).to(tl.int32)
        below = tl.where(y + 1 < rows, columns, 0)
        value += tl.load(luma + frame + at + right, mask=inside, other=0).to(tl.int32)
        value += tl.load(luma + frame + at + below, mask=inside, other=0).to(tl.int32)
        value += tl.load(luma + frame + at + below + right, mask=inside, other=0).to(tl.int32)
        value = value >> (DEPTH - 8)
    tl.store(image + frame + at, value.to(tl.int16), mask=inside)


@triton.jit(do_not_specialize=["rows", "columns"])
def _flat_row_sums(image, flat, rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """How many of the 7 pixels around each in its row equal their right and lower neighbours."""
    y, x, inside = _pixels(rows, columns, 0, ROWS, COLUMNS)
    frame = tl.program_id(2).to(tl.int64) * rows * columns
    row = image + frame + y * columns
    below = tl.where(y + 1 < rows, columns, 0)
    total = tl.zeros((ROWS, COLUMNS), tl.int32)
    here = tl.load(row + tl.maximum(x - 3, 0), mask=inside, other=0)
    for k in tl.static_range(7):
        column = x + (k - 3)
        counted = inside & (column >= 0) & (column < columns)
        right = tl.load(row + tl.minimum(column + 1, columns - 1), mask=inside & (column >= -1), other=0)
        lower = tl.load(row + below + column, mask=counted, other=0)
        total += (counted & (here == right) & (here == lower)).to(tl.int32)
        here = right
    tl.store(flat + frame + y * columns + x, total.to(tl.uint8), mask=inside)


@triton.jit
def _mode(a, b, c):
    """The value that occurs at least twice, else the least."""
    least = tl.minimum(tl.minimum(a, b), c)
    return tl.where((a == b) | (a == c), a, tl.where(b == c, b, least))


@triton.jit
def _row_mode(row, x, columns, step, inside):
    """The 3x1 mode filter at columns ``x`` of a row, which leaves the first and the last pixel as they are."""
    left = tl.load(row + tl.maximum(x - 1, 0) * step, mask=inside, other=0).to(tl.int32) & 0x7FFF
    own = tl.load(row + x * step, mask=inside, other=0).to(tl.int32) & 0x7FFF
    right = tl.load(row + tl.minimum(x + 1, columns - 1) * step, mask=inside, other=0).to(tl.int32) & 0x7FFF
    return tl.where((x > 0) & (x < columns - 1), _mode(left, own, right), own)


@triton.jit(
    do_not_specialize=[
        "rows",
        "columns",
        "plane_rows",
        "pitch",
        "row_step",
        "frame_step",
        "plane_step",
        "levels_step",
        "n_words",
        "threshold",
        "highest",
    ]
)
def _mode_filter(
    source, flat, plane, levels, rows, columns, plane_rows, pitch,
    row_step, column_step, frame_step, plane_step, levels_step, n_words, threshold, highest,
    MARGIN: tl.constexpr, FIRST: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Filter one scale, mark the pixels outside the mask by the sign, and note the levels of each block of pixels.

    The first scale makes the mask from the sums of ``flat`` along the rows, the others find it with every second pixel of
    the scale before.
    """
    y, x, inside = _pixels(rows, columns, MARGIN, ROWS, COLUMNS)
    frame = tl.program_id(2).to(tl.int64)
    row = source + frame * frame_step + y * row_step
    own = tl.load(row + x * column_step, mask=inside, other=0).to(tl.int32)
    if FIRST:
        total = tl.zeros((ROWS, COLUMNS), tl.int32)
        for k in tl.static_range(7):
            near = y + (k - 3)
            at = frame * rows * columns + near * columns + x
            total += tl.load(flat + at, mask=inside & (near >= 0) & (near < rows), other=0).to(tl.int32)
        masked = total > threshold
    else:
        masked = own >= 0
    above = _row_mode(row - tl.where(y > 0, row_step, 0), x, columns, column_step, inside)
    middle = _row_mode(row, x, columns, column_step, inside)
    below = _row_mode(row + tl.where(y + 1 < rows, row_step, 0), x, columns, column_step, inside)
    own = own & 0x7FFF
    luma = tl.where((y > 0) & (y < rows - 1), _mode(above, middle, below), own)
    at = (y + MARGIN) * pitch + x + MARGIN
    kept = tl.where(inside, tl.where(masked, luma, luma - 0x8000), -1)
    tl.store(plane + frame * plane_step + at, kept.to(tl.int16), mask=(y + MARGIN < plane_rows) & (x + MARGIN < pitch))
    block = (y // MARGIN) * (pitch // MARGIN - 2) + x // MARGIN
    word = levels + frame * levels_step + block * n_words + (luma >> 5)
    bit = tl.full((), 1, tl.int32) << (luma & 31)
    noted = inside & masked & (luma <= highest)
    known = tl.load(word, mask=noted, other=0)  # most are known already, and an atomic costs more than a look
    tl.atomic_or(word, bit, mask=noted & ((known & bit) == 0), sem="relaxed")


@triton.jit
def _levels_of_blocks(levels, by, bx, down, across, word, n_words, N: tl.constexpr):
    """Union of the levels of ``N`` x ``N`` blocks from block ``(by, bx)``: 32 of them in a word of 64 bits."""
    union = tl.zeros((by + word).shape, tl.int64)
    for k in tl.static_range(N * N):
        y, x = by + k // N, bx + k % N
        valid = (y >= 0) & (y < down) & (x >= 0) & (x < across) & (word >= 0) & (word < n_words)
        bits = tl.load(levels + (y * across + x) * n_words + word, mask=valid, other=0)
        union |= bits.to(tl.int64) & 0xFFFFFFFF
    return union


@triton.jit
def _spread(before, own, after):
    """Of three words of levels the middle one's levels that have another level within four steps."""
    wide = (before >> 28) | (own << 4) | (after << 36)  # bit 4 is the middle word's first level
    wide = (wide << 4) | (wide << 3) | (wide << 2) | (wide << 1) | (wide >> 1) | (wide >> 2) | (wide >> 3) | (wide >> 4)
    return (wide >> 4) & 0xFFFFFFFF


@triton.jit(do_not_specialize=["n_tiles", "n_blocks", "n_words"])
def _needed_levels(
    levels, tiles, needed, words, n_tiles, n_blocks, n_words,
    BLOCK: tl.constexpr, WORDS: tl.constexpr, TILES: tl.constexpr,
):  # fmt: skip
    """The levels whose counts a tile needs, as bits, and which words of them hold any.

    Needed is a level of the window that lies within four steps of another one, and of (or equal to) one of the tile's own.
    """
    frame = tl.program_id(1).to(tl.int64)
    tile = tl.program_id(0) * TILES + tl.arange(0, TILES)[:, None]
    word = tl.arange(0, WORDS)[None, :]
    valid = tile < n_tiles
    row = tiles + tile * 8
    y, x = tl.load(row + 2, mask=valid, other=0), tl.load(row + 3, mask=valid, other=0)
    first = tl.load(row + 4, mask=valid, other=0)
    down, across = tl.load(row + 5, mask=valid, other=0), tl.load(row + 6, mask=valid, other=0)
    base = levels + (frame * n_blocks + first) * n_words
    by, bx = y // BLOCK, x // BLOCK
    before = _levels_of_blocks(base, by - 1, bx - 1, down, across, word - 1, n_words, 4)
    window = _levels_of_blocks(base, by - 1, bx - 1, down, across, word, n_words, 4)
    after = _levels_of_blocks(base, by - 1, bx - 1, down, across, word + 1, n_words, 4)
    own_before = _levels_of_blocks(base, by, bx, down, across, word - 1, n_words, 2)
    own = _levels_of_blocks(base, by, bx, down, across, word, n_words, 2)
    own_after = _levels_of_blocks(base, by, bx, down, across, word + 1, n_words, 2)
    need = window & _spread(before, window, after) & (own | _spread(own_before, own, own_after))
    at = (frame * n_tiles + tile) * n_words + word
    tl.store(needed + at, need.to(tl.int32), mask=valid & (word < n_words))
    some = tl.sum(tl.where(need != 0, tl.full((), 1, tl.int64) << word.to(tl.int64), 0), axis=1)
    tile = tl.program_id(0) * TILES + tl.arange(0, TILES)
    tl.store(words + frame * n_tiles + tile, some, mask=tile < n_tiles)


@triton.jit
def _lowest_bit(word):
    """Index of the lowest bit set of a word of 64 bits."""
    lowest = (word & -word).to(tl.uint64).to(tl.float32)  # a power of two: its exponent is the index
    return (lowest.to(tl.int32, bitcast=True) >> 23) - 127


@triton.jit
def _in_units(value):
    """Contrast values are 0 or 0.5 to 8450, float32: whole numbers of 2^-24, whose sums are exact in 64 bits."""
    return (value * 16777216.0).to(tl.int64)


@triton.jit
def _contrast(own, other, keys, reciprocals, STEP: tl.constexpr, threshold):
    """``STEP * own * other / (own + other)`` where the step is visible; the counts are whole, their product is rounded once."""
    visible = (other > 0) & (keys <= threshold)
    inverse = tl.load(reciprocals + (own + other).to(tl.int32), mask=visible, other=0.0)
    return (own * STEP) * other * inverse


@triton.jit(
    do_not_specialize=["n_tiles", "n_samples", "n_words", "threshold1", "threshold2", "threshold3", "threshold4", "pad"]
)
def _contrast_values(
    filtered, tiles, needed, words, reciprocals, values, parts, positive, n_tiles, n_samples, n_words,
    threshold1, threshold2, threshold3, threshold4, pad, SIZE: tl.constexpr,
):  # fmt: skip
    """The contrast values of one tile, their sum, and how many are not 0."""
    tile = tl.program_id(0)
    at = tl.program_id(1).to(tl.int64) * n_tiles + tile
    i, j = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :]
    value = tl.zeros((SIZE, SIZE), tl.float32)
    some = tl.load(words + at)
    if some != 0:
        row = tiles + tile * 8
        first = tl.multiple_of(tl.program_id(1).to(tl.int64) * n_samples + tl.load(row), 32)
        pitch = tl.multiple_of(tl.load(row + 1), 32)
        y = tl.load(row + 2) + tl.arange(0, 2 * SIZE)[:, None]
        x = tl.multiple_of(tl.load(row + 3), 32) + tl.arange(0, 2 * SIZE)[None, :]
        window = tl.maximum(tl.load(filtered + first + y * pitch + x), -1)
        k = tl.arange(0, 2 * SIZE)
        # The tile's own pixels are the middle of the window; cut out by products, they lie in the threads that will count them.
        across = (k[:, None] == j + SIZE // 2).to(tl.float16)
        down = (k[None, :] == i + SIZE // 2).to(tl.float16)
        keys = tl.dot(down, tl.dot(window.to(tl.float16), across).to(tl.float16))
        across = (tl.abs(k[:, None] - j - SIZE // 2) <= pad).to(tl.float16)
        down = (tl.abs(k[None, :] - i - SIZE // 2) <= pad).to(tl.float16)
        own = tl.zeros((SIZE, SIZE), tl.float32)
        other1 = tl.zeros((SIZE, SIZE), tl.float32)
        other2 = tl.zeros((SIZE, SIZE), tl.float32)
        other3 = tl.zeros((SIZE, SIZE), tl.float32)
        other4 = tl.zeros((SIZE, SIZE), tl.float32)
        while some != 0:
            word = _lowest_bit(some)
            some = some & (some - 1)
            bits = tl.load(needed + at * n_words + word).to(tl.int64) & 0xFFFFFFFF
            while bits != 0:
                level = word * 32 + _lowest_bit(bits)
                bits = bits & (bits - 1)
                rows_of = tl.dot((window == level.to(tl.int16)).to(tl.float16), across)
                count = tl.dot(down, rows_of.to(tl.float16))
                distance = tl.abs(keys - level.to(tl.float32))
                own = tl.where(distance == 0.0, count, own)
                other1 = tl.where(distance == 1.0, tl.maximum(other1, count), other1)
                other2 = tl.where(distance == 2.0, tl.maximum(other2, count), other2)
                other3 = tl.where(distance == 3.0, tl.maximum(other3, count), other3)
                other4 = tl.where(distance == 4.0, tl.maximum(other4, count), other4)
        value = tl.maximum(
            tl.maximum(
                _contrast(own, other1, keys, reciprocals, 1, threshold1),
                _contrast(own, other2, keys, reciprocals, 2, threshold2),
            ),
            tl.maximum(
                _contrast(own, other3, keys, reciprocals, 3, threshold3),
                _contrast(own, other4, keys, reciprocals, 4, threshold4),
            ),
        )
    tl.store(values + at * (SIZE * SIZE) + i * SIZE + j, value)
    tl.store(parts + at, tl.sum(tl.sum(_in_units(value), axis=1), axis=0))
    tl.store(positive + at, tl.sum(tl.sum((value > 0).to(tl.int32), axis=1), axis=0))


@triton.jit(do_not_specialize=["n_tiles"])
def _sum_of_greatest(values, parts, positive, pools, sums, n_tiles, AREA: tl.constexpr):
    """Sum of the ``kept`` greatest values of one scale: of all where no more are positive, else of those with the highest digits."""
    scale = tl.program_id(0)
    frame = tl.program_id(1).to(tl.int64)
    first, last = tl.load(pools + 3 * scale), tl.load(pools + 3 * scale + 1)
    kept = tl.load(pools + 3 * scale + 2)
    lane = tl.arange(0, 1024)
    totals = tl.zeros((1024,), tl.int64)
    counts = tl.zeros((1024,), tl.int32)
    start = first
    while start < last:
        tile = start + lane
        totals += tl.load(parts + frame * n_tiles + tile, mask=tile < last, other=0)
        counts += tl.load(positive + frame * n_tiles + tile, mask=tile < last, other=0)
        start += 1024
    total = tl.sum(totals, axis=0)
    if tl.sum(counts, axis=0) > kept:
        total = _select(values + (frame * n_tiles + first) * AREA, (last - first) * AREA, kept)
    tl.store(sums + frame * tl.num_programs(0) + scale, total)


@triton.jit
def _select(values, n, kept):
    """Sum of the ``kept`` greatest of ``n`` values, none negative: their bits, taken as integers, are in the values' order."""
    lane, digits = tl.arange(0, 4096), tl.arange(0, 512)
    prefix = kept * 0
    for step in tl.static_range(4):
        counts = tl.zeros((512,), tl.int32)
        start = n * 0
        while start < n:
            bits = tl.load(values + start + lane, mask=start + lane < n, other=0.0).to(tl.int32, bitcast=True)
            own = (start + lane < n) & ((bits >> (24 - 8 * step) >> 8) == prefix)
            counts += tl.histogram(tl.where(own, (bits >> (24 - 8 * step)) & 255, 511), 512)
            start += 4096
        counts = tl.where(digits < 256, counts, 0)
        from_digit = tl.sum(counts, axis=0) - tl.cumsum(counts, axis=0) + counts
        digit = tl.sum(((from_digit >= kept) & (digits < 256)).to(tl.int32), axis=0) - 1
        kept -= tl.sum(tl.where(digits > digit, counts, 0), axis=0)
        prefix = (prefix << 8) | digit
    totals = tl.zeros((4096,), tl.int64)
    start = n * 0
    while start < n:
        value = tl.load(values + start + lane, mask=start + lane < n, other=0.0)
        totals += tl.where(value.to(tl.int32, bitcast=True) > prefix, _in_units(value), 0)
        start += 4096
    return tl.sum(totals, axis=0) + kept * _in_units(prefix.to(tl.float32, bitcast=True))
