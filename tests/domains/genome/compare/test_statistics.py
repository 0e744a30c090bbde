"""The comparison of DNA: conclusions about real sequences, odd ones, and properties that Markov models
miss."""

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from pipeline.domains.genome.compare import metrics as named
from pipeline.domains.genome.compare.sequence_sets import encode_sequences
from pipeline.domains.genome.compare.statistics import TERMS, compare_groups
from pipeline.domains.genome.domain import Nucleotide
from pipeline.evaluation.metric_comparison.comparison import compare_metrics
from pipeline.evaluation.metric_comparison.conclusions import conclude

EMBEDDED = Path(__file__).parents[4] / "datasets" / "drosophila" / "upstream.fa.gz"


@pytest.fixture(scope="module")
def fly() -> list[str]:
    return [str(record.symbols)[:500] for record in Nucleotide().read(EMBEDDED)]


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return {row["metric"]: row for row in csv.DictReader(stream, delimiter="\t")}


@pytest.fixture(scope="module")
def compared(fly, tmp_path_factory):
    """Real sequences as samples, compared with other real ones and random letters."""
    folder, rng = tmp_path_factory.mktemp("compared"), random.Random(5)
    groups = {
        "samples": fly[:600:4],
        "held-out real": fly[1:600:4],
        "Markov order 0": ["".join(rng.choices("ACGT", [3, 2, 2, 3], k=500)) for _ in range(150)],
        "shuffled": ["".join(rng.sample(text, len(text))) for text in fly[:600:4]],
    }
    return compare_groups(groups, folder), rows(folder / "statistics.tsv"), folder


def test_real_dna_is_within_the_noise_of_real_dna_and_letters_are_not(compared):
    outputs, table, _ = compared
    judged = {name: row for name, row in table.items() if row["conclusion"]}
    assert len(judged) == 24
    alike = ("no difference found", "not tested, too few bases")
    assert all(row["conclusion"].startswith(alike) for row in judged.values())
    for k in (3, 4, 5, 6):
        row = table[f"JS distance of {k}-mers"]
        assert row["conclusion"] == "no difference found"
        assert float(row["shuffled"]) > 1.2 * float(row["samples"])
        assert float(row["samples"]) == pytest.approx(float(row["real against itself"]), rel=0.15)
    assert table["bases of low complexity, DUST (%)"]["nearest to real"] == "samples"
    assert outputs.summary[0] == (
        "samples: indistinguishable from held-out real DNA on 16 of 16 metrics of DNA "
        "(Markov order 0 on 4, shuffled on 6)"
    )


def test_every_plot_is_drawn_and_shown(compared):
    outputs, _, folder = compared
    assert {path.name for path in outputs.files} == {
        "statistics.tsv", "metric_overview.svg", "gc_windows.svg", "gc_positions.svg", "dinucleotides.svg",
        "kmer_distance.svg",
        "kmer_spectrum.svg", "repeats.svg", "orf_lengths.svg", "codon_usage.svg", "mutual_information.svg",
    }  # fmt: skip
    assert all((folder / path.name).stat().st_size > 1000 for path in outputs.files)
    assert {path for section in outputs.sections for path in section.files} == set(outputs.files)
    assert all(section.caption for section in outputs.sections)


def judged(groups: dict[str, list[str]], *metrics: str) -> list[str]:
    """The verdicts on some measures."""
    sequence_sets = {name: encode_sequences(group) for name, group in groups.items()}
    chosen = {each.name: each for each in named.metrics(sequence_sets) if each.name in metrics}
    rows = compare_metrics(sequence_sets, [chosen[name] for name in metrics], np.random.default_rng(0))
    return [conclude(row, TERMS) for row in rows]


def test_what_is_far_is_called_far(fly):
    rng = random.Random(5)
    groups = {"samples": ["".join(rng.choices("ACGT", [1, 4, 4, 1], k=500)) for _ in range(50)],
              "held-out real": fly[:100]}  # fmt: skip
    said = judged(groups, named.spectrum(3), named.GC)
    assert said == ["differs from real DNA", "differs from real DNA: more"]


def test_a_markov_model_fails_at_long_distances():
    """Where sequences have a composition of their own, as isochores have, letters far apart tell of each
    other; a model of one composition for all misses that, however near its k-mers are."""
    rng = np.random.default_rng(1)

    def drawn(shares: np.ndarray) -> list[str]:
        weights = [[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2] for gc in shares]
        return ["".join(rng.choice(list("ACGT"), 2500, p=each)) for each in weights]

    real, alike = (drawn(rng.choice([0.2, 0.7], 40)) for _ in range(2))
    far = "mutual information at 1001–2000 bp (10⁻³ bits)"
    assert judged({"samples": alike, "held-out real": real}, far) == ["no difference found"]
    markov = {"samples": drawn(np.full(40, 0.45)), "held-out real": real}
    assert judged(markov, far) == ["differs from real DNA: less"]


@pytest.mark.parametrize(
    "groups",
    [
        {},
        {"samples": ["ACGT" * 30]},
        {"samples": ["ACGT" * 30], "held-out real": []},
        {"samples": ["ACGT" * 30], "held-out real": ["ACGT" * 100]},
        {"samples": ["A"], "held-out real": ["C"], "shuffled": ["A"]},
        {"samples": ["A" * 1000], "held-out real": ["C" * 1000]},
        {"samples": ["AC"] * 300, "held-out real": ["GT"] * 300},
    ],
)
def test_little_or_odd_data_is_no_error(tmp_path, groups):
    assert all(path.exists() for path in compare_groups(groups, tmp_path).files)


def test_too_little_to_tell_is_said(tmp_path, fly):
    rng = random.Random(5)
    groups = {"samples": fly[:4], "held-out real": fly[4:12],
              "shuffled": ["".join(rng.sample(text, len(text))) for text in fly[:4]]}  # fmt: skip
    said = judged(groups, named.spectrum(6))[0]
    assert said == "not tested, too few bases"
    groups = {name: [text[:40] for text in group] for name, group in groups.items()}
    outputs = compare_groups(groups, tmp_path)
    assert outputs.summary[0].startswith("samples and held-out real DNA: too few bases to test; ")


def test_of_one_test_block_nothing_is_concluded(tmp_path, fly):
    """Windows of one block are alike, and real sequences from elsewhere in the genome differ from them."""
    names = ("samples", "held-out real", "Markov order 2", "training real")
    groups = {name: fly[4 * place : 4 * place + 4] for place, name in enumerate(names)}
    outputs = compare_groups(groups, tmp_path, {"held-out real": ["block"] * 4})
    (line,) = outputs.summary
    assert outputs.conclusions == (line,) and outputs.warnings == ()
    assert line.startswith(
        "the test split has 1 block, too few to compare samples with real DNA (5 are needed)"
    )
    assert rows(tmp_path / "statistics.tsv")[named.GC]["conclusion"] == "not tested, too few test blocks"
    assert rows(tmp_path / "statistics.tsv")[named.GC]["tested"] == "no"


def test_the_same_data_gives_the_same_bytes(tmp_path, fly):
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files = compare_groups({"samples": fly[:2], "held-out real": fly[2:4]}, tmp_path / name).files
        made.append([path.read_bytes() for path in files])
    assert made[0] == made[1]
