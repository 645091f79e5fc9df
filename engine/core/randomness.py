"""Randomness is passed in; nothing in the engine draws from a global generator."""

import hashlib

import numpy as np


def generator(seed: int, *purpose: str) -> np.random.Generator:
    """A generator for ``seed`` and a purpose: two purposes under one seed draw independently."""
    words = [int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little") for word in purpose]
    return np.random.default_rng([seed, *words])
