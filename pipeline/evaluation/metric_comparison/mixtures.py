"""Real sequences with random letters, and whether there are blocks enough."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.metric_comparison.subsampling import MIN_BLOCKS


def mix_letters(text: str, share: float, letters: str, rng: np.random.Generator) -> str:
    """The text with each letter, by this probability, drawn again from `letters` with equal chances."""
    codes = np.frombuffer(text.encode("ascii"), np.uint8)
    random = np.frombuffer(letters.encode("ascii"), np.uint8)[rng.integers(len(letters), size=len(codes))]
    return np.where(rng.random(len(codes)) < share, random, codes).tobytes().decode("ascii")


def few_blocks(blocks: Sequence[str] | None) -> list[str]:
    """A line where the held-out sequences are from too few blocks to know how blocks differ. Nothing else is
    concluded then: one part of a genome is not typical of it."""
    number = len(set(blocks)) if blocks is not None else MIN_BLOCKS
    if number >= MIN_BLOCKS:
        return []
    return [
        f"the test split has {number} block{'s' * (number > 1)}, too few to compare samples with real DNA "
        f"({MIN_BLOCKS} are needed); a larger dataset.split.test, or more sequences, give more"
    ]
