"""Copies of the training data: planted ones are found at the right place, real DNA is the measure."""

import csv
import random

import pytest

from pipeline.domains.genome.compare.originality import SIZES
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.errors import ConfigError
from pipeline.records import Record, References


def dna(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=length))


CHROMOSOME = dna(30_000, 1)
TRAINING = [
    Record("chr9:1001-11000", CHROMOSOME[1000:11_000], {"source": "chr9", "start": "1001"}),
    Record("chr9:20001-30000", CHROMOSOME[20_000:30_000], {"source": "chr9", "start": "20001"}),
]
HELD_OUT = [Record(f"real{n}", dna(500, 100 + n)) for n in range(40)]


def sample(number: int, planted: str = "", at: int = 100) -> Record:
    text = dna(500, 1000 + number)
    return Record(f"synthetic_{number:04d}", text[:at] + planted + text[at + len(planted) :])


def audited(samples, out_dir, real=HELD_OUT, chance=(), **settings):
    groups = {"held-out real": real, "shuffled": [Record("s", dna(500, 7))]}
    if chance:
        groups["Markov order 5"] = chance
    references = References(groups if real else {}, lambda: iter(TRAINING))
    kept, outputs = Nucleotide(**settings).audit(samples, references, out_dir)
    with (out_dir / "originality.tsv").open(encoding="utf-8") as stream:
        return kept, outputs, list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize("strand", "+-")
def test_forty_planted_bases_are_found_at_their_place(tmp_path, strand):
    planted = CHROMOSOME[23_456:23_496]
    pasted = planted if strand == "+" else reverse_complement(planted)
    samples = [sample(n) for n in range(9)] + [sample(9, pasted)]
    kept, outputs, rows = audited(samples, tmp_path)
    row = rows[0]
    assert (row["group"], row["sequence"], row["copied"]) == ("samples", "synthetic_0009", "yes")
    assert row["source"] == "chr9" and row["strand"] == strand
    first, last = int(row["source_start"]), int(row["source_end"])
    # By chance the match may go on for a base or two beyond what was planted.
    assert 23_457 - 3 <= first <= 23_457 and 23_496 <= last <= 23_496 + 3
    assert int(row["longest_match_bp"]) == last - first + 1
    found = samples[9].text[int(row["start"]) - 1 : int(row["end"])]
    place = CHROMOSOME[first - 1 : last]
    assert found == (place if strand == "+" else reverse_complement(place))
    flagged = [record.metadata.get("copied") for record in kept]
    assert flagged == [None] * 9 + [f"chr9:{first}-{last}({strand})"]
    assert outputs.summary[0].startswith("copies: 1 of 10 samples have an exact match above 24 bp")
    assert f"synthetic_0009 at chr9:{first}-{last}({strand})" in outputs.summary[0]


def test_shares_of_kmers_are_those_of_a_plain_count(tmp_path):
    copied = sample(1, CHROMOSOME[5000:5100])
    _, _, rows = audited([copied], tmp_path)
    text = copied.text
    known = [record.text for record in TRAINING] + [reverse_complement(record.text) for record in TRAINING]
    for k in SIZES:
        words = [text[at : at + k] for at in range(len(text) - k + 1)]
        share = sum(any(word in whole for whole in known) for word in words) / len(words)
        assert float(rows[0][f"share_of_{k}_mers"]) == pytest.approx(share, abs=1e-4)
        assert share > 0.1


def test_copies_are_dropped_where_a_limit_is_set(tmp_path):
    samples = [sample(0), sample(1, CHROMOSOME[5000:5045]), sample(2, CHROMOSOME[5000:5030])]
    kept, outputs, _ = audited(samples, tmp_path, max_copy_bp=40)
    assert [record.id for record in kept] == ["synthetic_0000", "synthetic_0002"]
    assert [(each.where, each.reason) for each in outputs.rejections] == [("synthetic_0001", "copied")]
    assert "bp of chr9:5001-5045(+)" in outputs.rejections[0].detail
    assert "copied" not in kept[1].metadata
    kept, outputs, _ = audited(samples[1:2], tmp_path, max_copy_bp=40)
    assert kept == [] and any("no sample is left" in line for line in outputs.summary)
    with pytest.raises(ConfigError, match="max_copy_bp=11 is below 12"):
        Nucleotide(max_copy_bp=11)


def test_samples_are_judged_by_what_held_out_real_dna_does(tmp_path):
    copies = [sample(n, CHROMOSOME[200 * n + 1000 :][:60]) for n in range(10)]
    new = [sample(n) for n in range(30)]
    _, outputs, _ = audited(copies + new, tmp_path)
    assert outputs.summary[2].startswith(
        "copies: the samples copy more than held-out real DNA does: 25.0% of them have a match above 24 bp"
    )
    _, outputs, _ = audited(new, tmp_path)
    assert outputs.summary[1].startswith("copies: the samples copy no more than held-out real DNA does")
    assert outputs.warnings == ()
    # Where the held-out sequences repeat the training data, that is said, and the limit stays bounded.
    real = [Record(f"real{n}", CHROMOSOME[300 * n + 1000 :][:200]) for n in range(20)]
    _, outputs, rows = audited(copies, tmp_path, real=real)
    assert "scores on the test split are too good" in outputs.summary[2] and not outputs.warnings
    assert "above 64 bp" in outputs.summary[0]
    assert {row["longest_match_bp"] for row in rows if row["group"] == "held-out real"} == {"200"}


def test_few_held_out_sequences_do_not_excuse_copies(tmp_path):
    copies = [sample(n, CHROMOSOME[200 * n + 1000 :][:60]) for n in range(17)]
    new, real = [sample(17 + n) for n in range(83)], HELD_OUT[:18]
    chance = [Record(f"chain{n}", dna(500, 300 + n)) for n in range(100)]
    _, outputs, _ = audited(copies + new, tmp_path, real=real, chance=chance)
    assert outputs.summary[1].startswith("copies: the samples copy more than chance explains (17 of 100")
    _, outputs, _ = audited(copies + new, tmp_path, real=real)
    assert outputs.summary[1].startswith("copies: no difference found from held-out real DNA (")


def test_a_run_that_mostly_copies_says_so_first(tmp_path):
    copies = [sample(n, CHROMOSOME[200 * n + 1000 :][:60]) for n in range(40)]
    _, outputs, _ = audited(copies, tmp_path)
    assert outputs.warnings == outputs.summary[:1]
    assert outputs.summary[0].startswith("100% of the samples copy the training data (held-out real DNA 0%)")
    # Samples that copy as often as held-out real DNA does are no fault of the model.
    real = [Record(f"real{n}", CHROMOSOME[300 * n + 1000 :][:200]) for n in range(20)]
    assert audited(copies, tmp_path, real=real)[1].warnings == ()


def test_odd_samples_are_no_error(tmp_path):
    kept, outputs, rows = audited([Record("a", "A"), Record("b", "ACGTACG")], tmp_path, real=[])
    assert len(kept) == 2 and all(path.exists() for path in outputs.files)
    by_id = {row["sequence"]: row for row in rows}
    assert by_id["a"]["longest_match_bp"] == "1" and by_id["a"]["share_of_12_mers"] == ""
    assert "too few" not in " ".join(outputs.summary)


def test_the_summary_stands_the_groups_side_by_side(tmp_path):
    audited([sample(n) for n in range(5)], tmp_path)
    with (tmp_path / "originality_summary.tsv").open(encoding="utf-8") as stream:
        table = {row["group"]: row for row in csv.DictReader(stream, delimiter="\t")}
    assert list(table) == ["samples", "held-out real", "shuffled"]
    assert table["held-out real"]["sequences"] == "40" and table["samples"]["matches_above_24_bp"] == "0"
    assert 8 <= int(table["samples"]["median_longest_match_bp"]) <= 13
    assert float(table["samples"]["mean_share_of_32_mers"]) == 0
