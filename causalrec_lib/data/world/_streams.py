"""Randomness by name: every draw of the world has its own stream, so asking for one log never changes another."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def _entropy(seed: int, names: tuple[str | int, ...]) -> list[int]:
    return [seed, *(zlib.crc32(n.encode()) if isinstance(n, str) else int(n) for n in names)]


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to `names` in the world of `seed`."""
    return np.random.default_rng(np.random.SeedSequence(_entropy(seed, names)))


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64 bits (the finaliser of SplitMix64)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def pair_uniform(seed: int, names: tuple[str | int, ...], users: IntArray, items: IntArray) -> FloatArray:
    """Return one uniform a user-item pair: a pure function of seed, name, user and item.

    No state and no full matrix: a sample of pairs, one block of users or the whole table see the same draw.

    Parameters
    ----------
    seed : int
        Seed of the world.
    names : tuple of str or int
        What the draw is for, for example ``("outcome", 0)``.
    users, items : array of int
        Row numbers; they broadcast against each other.

    Returns
    -------
    array of float
        Uniforms in (0, 1), of the broadcast shape.

    Notes
    -----
    Chapter: reference/world
    """
    k1, k2 = np.random.SeedSequence(_entropy(seed, names)).generate_state(2, np.uint64)
    u = np.atleast_1d(np.asarray(users)).astype(np.uint64)
    i = np.atleast_1d(np.asarray(items)).astype(np.uint64)
    z = _mix(((u << np.uint64(32)) | i) ^ k1)
    z = _mix(z + k2)
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
