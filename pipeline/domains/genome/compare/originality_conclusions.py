"""The definition of a copy, and the conclusion whether the samples copy more than held-out real DNA does.

Two tests: a rank test of all longest matches (H. B. Mann, D. R. Whitney, Annals of Mathematical Statistics 18
(1947) 50), and an exact test of the number above the limit (R. A. Fisher, Journal of the Royal Statistical
Society 85 (1922) 87).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation.metric_comparison.groups import MARKOV, REAL, SAMPLES

USUAL_SHARE = 0.99
"""The longest matches of this share of the held-out real sequences do not count as copies."""
MIN_BP, MAX_BP = 24, 64
"""Bounds of the limit. By chance 500 bases and 150 million, on both strands, share 24 in one case of 2,000.
The upper bound matters where held-out records repeat whole training records."""
MIN_SEQUENCES = 5
"""Smaller groups are not tested."""
MAX_P, MIN_EFFECT = 0.01, 0.55
"""Largest p-value of a difference, and its smallest size: the share of all pairs of a sample and a real
sequence in which the sample has the longer match."""
MANY_COPIES = 0.2
"""A warning is given where the share of copies in the samples exceeds that in held-out real sequences by
this."""
MUCH_REPEATED = 0.2
"""A larger share of held-out sequences above the limit means that the data is repetitive."""


@dataclass(frozen=True)
class CopyStatistics:
    """Longest matches of each group in bases, and the limit above which one is a copy: `max_copy_bp`, above
    which samples are dropped, or with None what is usual in held-out real sequences."""

    lengths: Mapping[str, np.ndarray]
    max_copy_bp: int | None

    @property
    def drops(self) -> bool:
        """Whether copies are dropped."""
        return self.max_copy_bp is not None

    @property
    def limit(self) -> int:
        """The longest match, in bases, that is no copy."""
        if self.max_copy_bp is not None:
            return self.max_copy_bp
        if REAL not in self.lengths:
            return MIN_BP
        usual = np.quantile(self.lengths[REAL], USUAL_SHARE, method="inverted_cdf")
        return int(np.clip(usual, MIN_BP, MAX_BP))

    @property
    def why(self) -> str:
        """The caption that states the limit and its origin."""
        if self.drops:
            return f"Samples with an exact match above domain.max_copy_bp={self.limit} were dropped."
        return (
            f"Samples with an exact match above {self.limit} bp are flagged as copied. 1% of held-out real "
            f"sequences have a longer match, but the limit is at least {MIN_BP} and at most {MAX_BP} bp: "
            "held-out real DNA shares repeats with the training data. domain.max_copy_bp=40 drops samples "
            "with a match above 40 bp."
        )

    def above(self, group: str) -> int:
        """Count the sequences of a group with a match above the limit."""
        return int((self.lengths[group] > self.limit).sum())


def describe_copies(copies: CopyStatistics, longest: str) -> Iterator[str]:
    """Yield lines of the summary; `longest` describes the longest match of the samples."""
    others = [f"{name} {copies.above(name)} of {len(lengths)}" for name, lengths in copies.lengths.items()]
    references = f" ({', '.join(others[1:])})" if others[1:] else ""
    count, dropped = len(copies.lengths[SAMPLES]), copies.above(SAMPLES) if copies.drops else 0
    yield (
        f"copies: {copies.above(SAMPLES)} of {count} samples have an exact match above {copies.limit} bp "
        f"with the training data{references}{', and were dropped' if dropped else ''}. "
        f"The longest is {longest}"
    )
    if dropped == count:
        yield "copies: no sample is left; raise domain.max_copy_bp, or use a model that memorizes less"
    if REAL in copies.lengths:
        yield f"copies: {_compare_with_real(copies)}"
        share = copies.above(REAL) / len(copies.lengths[REAL])
        if share > MUCH_REPEATED:
            yield (
                f"copies: {share:.0%} of the held-out real sequences have such a match too: the data is "
                "repetitive, so that scores on the test split are too good for every model"
            )


def warn_of_copies(copies: CopyStatistics) -> Iterator[str]:
    """A line to read before all others where many samples are copies and few held-out real sequences are."""
    if copies.drops or REAL not in copies.lengths:
        return
    samples, real = (copies.above(name) / len(copies.lengths[name]) for name in (SAMPLES, REAL))
    if samples >= real + MANY_COPIES and min(_more_above(copies), _more_than_chance(copies)[1]) <= MAX_P:
        yield (
            f"{samples:.0%} of the samples copy the training data (held-out real DNA {real:.0%}); "
            "domain.max_copy_bp=40 drops such samples"
        )


def _more_than_chance(copies: CopyStatistics) -> tuple[str, float]:
    """Return the name of the Markov group, whose matches are due to chance, and the p-value that the samples
    have more matches; 1 without such a group."""
    markov = next((name for name in copies.lengths if name.startswith(MARKOV)), "")
    return markov, _more_above(copies, markov) if markov else 1.0


def _more_above(copies: CopyStatistics, other: str = REAL) -> float:
    """The p-value of Fisher's test that more samples than sequences of another group have a match above the
    limit."""
    from scipy.stats import fisher_exact

    above = [(copies.above(name), len(copies.lengths[name])) for name in (SAMPLES, other)]
    table = [[count, size - count] for count, size in above]
    p_value: Any = fisher_exact(table, alternative="greater")[1]
    return float(p_value)


def _compare_with_real(copies: CopyStatistics) -> str:
    samples, real = copies.lengths[SAMPLES], copies.lengths[REAL]
    if min(len(samples), len(real)) < MIN_SEQUENCES:
        return f"too few sequences to compare with held-out real DNA ({len(samples)} and {len(real)})"
    from scipy.stats import mannwhitneyu

    ranked = mannwhitneyu(samples, real, alternative="greater")
    longer = float(ranked.statistic) / (len(samples) * len(real))
    above = [(copies.above(name), len(copies.lengths[name])) for name in (SAMPLES, REAL)]
    (count, size), (real_count, real_size) = above
    rare = _more_above(copies)
    medians = f"median longest match {np.median(samples):g} bp, held-out real {np.median(real):g} bp"
    test = f"{medians}; rank test, p = {ranked.pvalue:.1g}"
    if rare <= MAX_P:
        return (
            f"the samples copy more than held-out real DNA does: {count / size:.1%} of them have a match "
            f"above {copies.limit} bp, of held-out real {real_count / real_size:.1%} (Fisher's exact test, "
            f"p = {rare:.1g})"
        )
    if ranked.pvalue <= MAX_P and longer >= MIN_EFFECT:
        return f"the samples copy more than held-out real DNA does ({test})"
    if count / size <= real_count / real_size:
        return f"the samples copy no more than held-out real DNA does ({test})"
    markov, by_chance = _more_than_chance(copies)
    if by_chance <= MAX_P:
        return (
            f"the samples copy more than chance explains ({count} of {size} above {copies.limit} bp, "
            f"{markov} {copies.above(markov)} of {len(copies.lengths[markov])}; Fisher's exact test, "
            f"p = {by_chance:.1g}); there is too little held-out real DNA to show the usual share"
        )
    return f"no difference found from held-out real DNA ({test})"
