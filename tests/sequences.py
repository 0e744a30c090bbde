"""Made-up DNA and records for tests of the corpus and its split."""

import random

import numpy as np


def dna(length: int, seed: int | str) -> str:
    """Bases at random, the same for the same seed."""
    return "".join(random.Random(seed).choices("ACGT", k=length))


def changed(sequence: str, places: int, letters: str = "ACGT") -> str:
    """With so many letters replaced."""
    rng, found = random.Random(places), list(sequence)
    for place in rng.sample(range(len(found)), places):
        found[place] = rng.choice(letters.replace(found[place], ""))
    return "".join(found)


def make_spans(*lengths: int) -> np.ndarray:
    """Records of these lengths, one after the other."""
    stops = np.cumsum(lengths)
    return np.column_stack([stops - lengths, stops])
