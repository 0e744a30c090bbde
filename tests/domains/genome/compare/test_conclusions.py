"""Bad samples, copies and real sequences put in as samples each get the right conclusion."""

import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.domains.genome.compare import metrics as named
from pipeline.domains.genome.compare.sequence_sets import encode_sequences
from pipeline.domains.genome.compare.statistics import TERMS
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import BASES
from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import (
    count_indistinguishable,
    group_by_family,
    list_warnings,
    summarize,
)
from pipeline.evaluation.metric_comparison.groups import CONTROL, REAL, SAMPLES, SHUFFLED
from pipeline.evaluation.metric_comparison.mixtures import mix_symbols
from pipeline.evaluation.metric_comparison.result import MetricResult

EMBEDDED = Path(__file__).parents[4] / "datasets" / "drosophila" / "upstream.fa.gz"
METRICS = (
    named.GC, named.gc_spread(100), named.start_name(100), named.CPG, named.DINUCLEOTIDES,
    *map(named.spectrum, (2, 3, 4)), named.LONG_RUNS, named.TANDEM, named.DUST,
)  # fmt: skip
"""Those that are quick to count."""
COUNT = 80


def windows(records: list[str]) -> list[str]:
    return [text[at : at + 500] for text in records for at in range(0, len(text) - 499, 500)]


@pytest.fixture(scope="module")
def fly() -> list[str]:
    """750 regions, shuffled: they lie in the order of the genome."""
    records = [str(record.symbols) for record in Nucleotide().read(EMBEDDED)]
    return random.Random(1).sample(records, len(records))


@pytest.fixture(scope="module")
def references(fly) -> dict[str, list[str]]:
    control = windows(fly[100:120])
    shuffled = ["".join(random.Random(n).sample(text, len(text))) for n, text in enumerate(control)]
    return {REAL: windows(fly[:75]), SHUFFLED: shuffled, CONTROL: control}


def compared(samples: list[str], references: dict[str, list[str]]) -> tuple[list[MetricResult], list[str]]:
    """The rows, and what is said of them; four windows of each real group are from one record."""
    groups = {SAMPLES: samples, **references}
    blocks = {name: [n // 4 for n in range(len(groups[name]))] for name in (REAL, CONTROL)}
    sequence_sets = {name: encode_sequences(group, blocks.get(name)) for name, group in groups.items()}

    def mixer(level: float):
        rng = np.random.default_rng(round(100 * level))
        mixed = [mix_symbols(text, level, BASES, rng) for text in references[CONTROL]]
        return encode_sequences(mixed, blocks[CONTROL])

    chosen = [each for each in named.metrics(sequence_sets) if each.name in METRICS]
    rows = compare_metrics(sequence_sets, chosen, np.random.default_rng(0), mixer)
    return rows, summarize(groups, rows, TERMS)


def alike(samples: list[str], references: dict[str, list[str]]) -> tuple[int, int]:
    """On how many metrics the samples are indistinguishable from real, and how many are tested."""
    rows, said = compared(samples, references)
    tested = [row for row in rows if row.testable]
    count, metrics = count_indistinguishable(tested, SAMPLES), len(group_by_family(tested))
    counted = f"{count} of {metrics} metrics of DNA (shuffled on "
    assert said[0].startswith(f"samples: indistinguishable from held-out real DNA on {counted}")
    assert f", training real on {metrics})" in said[0]
    return count, metrics


def test_real_sequences_are_real_and_copies_too(fly, references):
    """Copies of the training data are real sequences: that they are copies another test must say."""
    others, copies = windows(fly[300:320]), windows(fly[120:140])
    (of_others, metrics), (of_copies, same) = alike(others, references), alike(copies, references)
    assert of_others == metrics == same == of_copies
    assert metrics >= 6


def test_random_letters_and_shuffled_sequences_are_not(references):
    """What the references decide to test is the same, however bad the samples are."""
    rng = random.Random(2)
    uniform = ["".join(rng.choices(BASES, k=500)) for _ in range(COUNT)]
    count, metrics = alike(uniform, references)
    assert count <= 1  # the position in a sequence alone
    shuffled = ["".join(rng.sample(text, len(text))) for text in references[CONTROL]]
    of_shuffled, same = alike(shuffled, references)
    assert same == metrics and count < of_shuffled <= metrics - 4


def test_samples_that_start_untypically_are_seen(fly, references):
    """The first hundred bases have the composition of another genome, the others that of this one."""
    rng = random.Random(3)
    cold = ["".join(rng.choices(BASES, (4, 1, 1, 4), k=100)) + text[100:] for text in windows(fly[300:320])]
    rows, _ = compared(cold, references)
    start = next(row for row in rows if row.metric.name == named.start_name(100))
    assert start.differs_from_real(SAMPLES) and not start.differs_from_real(CONTROL)
    assert float(start.groups[SAMPLES].value) < -15


def test_samples_worse_than_the_markov_chain_are_called_so_first(fly, references):
    """Uniform letters get a warning, since even shuffled windows are nearer; real windows and sequences of
    the chain get none."""
    rng = random.Random(4)
    chain = {**references, "Markov order 0": references[SHUFFLED]}
    uniform = ["".join(rng.choices(BASES, k=500)) for _ in range(COUNT)]
    (line,) = list_warnings(compared(uniform, chain)[0], TERMS)
    assert line.startswith("the samples are worse than those of Markov order 0: it is nearer to real DNA on ")
    assert "sample at temperature 1" in line
    shuffled = ["".join(rng.sample(text, len(text))) for text in references[CONTROL]]
    for samples in (windows(fly[300:320]), shuffled):
        assert list_warnings(compared(samples, chain)[0], TERMS) == []
