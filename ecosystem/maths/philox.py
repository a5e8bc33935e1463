"""The counter-based generator Philox4x64-10: numbers of many streams at once, the same as NumPy's.

Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.compiled import equation, kernel

Words = NDArray[np.uint64]

_ROUNDS = 10
_WORD = np.uint64  # all numbers in here are whole and of 64 bits
_FIRST, _SECOND = _WORD(0xD2E7470EE14C6C93), _WORD(0xCA5A826395121157)
_STEPS = np.array([0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B], _WORD)
_HALF, _LOW, _SPARE = _WORD(32), _WORD(0xFFFFFFFF), _WORD(11)
_UNIT = 2.0**-53


def keys_of_rounds(keys: Words) -> Words:
    """Return the keys of each round, (streams, rounds, 2), of the keys of streams, (streams, 2)."""
    return np.asarray(keys[:, None] + np.arange(_ROUNDS, dtype=_WORD)[:, None] * _STEPS)


@kernel
def uniform_numbers(keys: Words, period: int, count: int) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) of a period, (streams, count), of `keys_of_rounds`.

    A counter makes four numbers: (block, 0, period, 0). The blocks of a stream go through a round
    side by side, which a processor does several at a time.
    """
    numbers, blocks = np.empty((len(keys), count)), (count + 3) // 4
    words = np.empty((4, blocks), np.uint64)
    a, b, c, d = words
    for r in range(len(keys)):
        for i in range(blocks):
            a[i], b[i], c[i], d[i] = _WORD(i + 1), _WORD(0), _WORD(period), _WORD(0)
        for key in keys[r]:
            for i in range(blocks):
                high_a, low_a = product(a[i], _FIRST)
                high_c, low_c = product(c[i], _SECOND)
                a[i], b[i] = high_c ^ b[i] ^ key[0], low_c
                c[i], d[i] = high_a ^ d[i] ^ key[1], low_a
        for place in range(4):
            for i in range((count + 3 - place) // 4):
                numbers[r, 4 * i + place] = (words[place, i] >> _SPARE) * _UNIT
    return numbers


@equation
def product(x: np.uint64, y: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the upper and the lower 64 bits of a product, by halves, so that nothing is lost."""
    low_x, high_x, low_y, high_y = x & _LOW, x >> _HALF, y & _LOW, y >> _HALF
    low = low_x * low_y
    cross = high_x * low_y + (low >> _HALF)
    middle = low_x * high_y + (cross & _LOW)
    high = high_x * high_y + (cross >> _HALF) + (middle >> _HALF)
    return high, (middle << _HALF) | (low & _LOW)
