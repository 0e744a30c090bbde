"""Near-copies fall to one side of the split, in every domain that finds them; others stay single."""

import random
from pathlib import Path

import numpy as np
import pytest
from sequences import changed, dna
from tiny import some_dna

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.data.near_copy_groups import NearCopyGrouper
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.protein.domain import Protein
from pipeline.records import StageResult
from pipeline.stages.ingest import ingest

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"


def ingested(folder: Path, sequences: dict[str, str], domain=None, **split) -> tuple[Corpus, StageResult]:
    """The corpus of some sequences as FASTA, split by whole records."""
    path, out = folder / "some.fa", folder / "out"
    out.mkdir(exist_ok=True)
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    settings = SplitSettings(**{"by": "records", "validation": 0.2, "test": 0.2, **split})
    result = ingest([path], domain or Nucleotide(), settings, "error", out)
    return Corpus.open(out), result


def subsets(corpus: Corpus) -> dict[str, int]:
    """By name of a record the number of its subset."""
    return {corpus.record_ids[record]: int(kind) for kind, record in corpus.segments[:, 2:]}


def protein(length: int, seed: int | str) -> str:
    return "".join(random.Random(seed).choices(AMINO_ACIDS, k=length))


COPIES_OF_DNA = {
    "a fragment": lambda source: source[400:500],
    "four SNPs": lambda source: changed(source, 4),
    "four SNPs in a short one": lambda source: changed(source[:200], 4),
    "a strain": lambda source: changed(source, 40),
    "the other strand": reverse_complement,
    "a fragment of the other strand": lambda source: reverse_complement(source[700:900]),
    "a neighbour that overlaps": lambda source: source[750:] + dna(750, source),
    "a longer one": lambda source: dna(1_200, source) + source,
}
COPIES_OF_PROTEINS = {
    "a fragment": lambda source: source[100:160],
    "an isoform": lambda source: source[:120] + source[180:],
    "another start": lambda source: protein(80, source) + source[60:],
    "a strain": lambda source: changed(source, 15, AMINO_ACIDS),
}


@pytest.mark.parametrize("kind", COPIES_OF_DNA)
def test_near_copies_of_dna_stay_on_one_side(tmp_path, kind):
    sources = {f"r{number}": dna(1_000, number) for number in range(60)}
    copies = {f"{name}_copy": COPIES_OF_DNA[kind](sequence) for name, sequence in sources.items()}
    if kind == "the other strand":  # equal ones are left out
        copies = {name: changed(sequence, 1) for name, sequence in copies.items()}
    corpus, result = ingested(tmp_path, sources | copies)
    found = subsets(corpus)
    assert set(found.values()) == {0, 1, 2}
    assert all(found[name] == found[f"{name}_copy"] for name in sources)
    figures = result.figures
    assert (figures["groups"], figures["records_grouped"], figures["largest_group"]) == (60, 120, 2)
    assert "120 records are near-copies of others: 60 groups" in result.summary[1]


@pytest.mark.parametrize("kind", COPIES_OF_PROTEINS)
def test_near_copies_of_proteins_stay_on_one_side(tmp_path, kind):
    sources = {f"r{number}": protein(300, number) for number in range(60)}
    copies = {f"{name}_copy": COPIES_OF_PROTEINS[kind](sequence) for name, sequence in sources.items()}
    corpus, _ = ingested(tmp_path, sources | copies, Protein())
    found = subsets(corpus)
    assert set(found.values()) == {0, 1, 2}
    assert all(found[name] == found[f"{name}_copy"] for name in sources)


def test_unrelated_records_are_not_grouped(tmp_path):
    _, result = ingested(tmp_path, {str(number): dna(2_000, number) for number in range(400)})
    assert result.figures["groups"] == 0
    _, result = ingested(tmp_path, {str(number): protein(400, number) for number in range(400)}, Protein())
    assert (result.figures["groups"], result.figures["largest_group"]) == (0, 1)


def test_what_many_records_share_in_part_links_none_of_them(tmp_path):
    """A repeat of 300 bases in records of 2,000 is below a fifth; a simple repeat too."""
    repeat = dna(300, 1_000) + "AC" * 40
    sequences = {str(n): dna(900, n) + repeat + dna(720, n + 500) for n in range(100)}
    _, result = ingested(tmp_path, sequences)
    assert result.figures["groups"] == 0


def test_a_family_of_many_copies_is_one_group(tmp_path):
    source = dna(800, 1)
    family = {f"copy{number}": changed(source, 10 + number) for number in range(30)}
    others = {f"other{number}": dna(800, number + 2) for number in range(50)}
    corpus, result = ingested(tmp_path, family | others)
    assert result.figures["largest_group"] == 30
    assert {subsets(corpus)[name] for name in family} == {0}
    assert "one group has 38% of the symbols" in result.summary[2]


def test_reads_that_all_overlap_are_not_one_giant_group(tmp_path):
    genome = dna(20_000, 1)
    reads = {str(start): genome[start : start + 200] for start in range(0, 19_800, 40)}
    corpus, result = ingested(tmp_path, reads)
    assert result.figures["near_copy_containment"] > 0.2
    assert corpus.subset_size("test") == pytest.approx(0.2 * len(corpus.codes), rel=0.05)
    assert "near-copies link more than 50% of the symbols" in " ".join(result.summary)


def test_genes_that_share_a_base_are_one_group(tmp_path):
    path, table, out = tmp_path / "g.fa", tmp_path / "g.gff3", tmp_path / "out"
    out.mkdir()
    path.write_text(f">c1\n{some_dna(80_000)}\n")
    starts = range(1, 70_000, 700)
    rows = [(start, start + 299) for start in starts] + [(start + 299, start + 415) for start in starts]
    lines = (f"c1\tx\tCDS\t{first}\t{last}\t.\t+\t0\tID=g{first}\n" for first, last in rows)
    table.write_text("##gff-version 3\n" + "".join(lines))
    domain = Nucleotide(features="CDS", annotation=str(table))
    result = ingest([path], domain, SplitSettings(), "error", out)
    found = subsets(Corpus.open(out))
    assert (result.kept["records"], result.figures["groups"], result.rejected) == (200, 100, {})
    assert set(found.values()) == {0, 1, 2}
    assert all(found[f"g{start}"] == found[f"g{start + 299}"] for start in starts)


def test_where_records_are_cut_in_blocks_the_longest_of_those_that_overlap_is_tested(tmp_path):
    path, out = tmp_path / "g.fa", tmp_path / "out"
    out.mkdir()
    path.write_text(f">c1\n{some_dna(20_000)}\n")
    domain = Nucleotide(regions=["c1:1-9000", "c1:8000-8500", "c1:10000-19000"])
    ingest([path], domain, SplitSettings(), "error", out)
    segments = Corpus.open(out).segments
    assert set(segments[segments[:, 2] > 0, 3].tolist()) == {0, 2}


def test_settings_of_one_tune_stay_on_one_side_and_equal_melodies_are_left_out(tmp_path):
    tunes, rng = {}, random.Random(1)
    for number in range(40):
        bars = ["".join(rng.choices("ABCDEFGabcdefg", k=8)) for _ in range(8)]
        tunes |= {
            f"{number}": "|".join(bars), f"{number} again": "".join(bars),
            f"{number} elsewhere": "|".join(["d4 d4", *bars[1:]]),
        }  # fmt: skip
    book = (f"X:1\nT:{name}\nM:4/4\nL:1/8\nK:D\n{body}|]\n\n" for name, body in tunes.items())
    path, out = tmp_path / "t.abc", tmp_path / "out"
    out.mkdir()
    path.write_text("".join(book))
    domain = Abc(valid_only=False)
    result = ingest([path], domain, SplitSettings(validation=0.2, test=0.2), "error", out)
    corpus = Corpus.open(out)
    assert result.rejected == {"duplicate": 40}
    found = {r.metadata["title"]: subset for subset in SUBSETS for r in corpus.records(subset, domain)}
    assert set(found.values()) == {*SUBSETS}
    assert all(found[f"{number}"] == found[f"{number} elsewhere"] for number in range(40))


def test_of_tunes_cut_in_blocks_one_setting_is_learned(tmp_path):
    rng, path, out = random.Random(1), tmp_path / "t.abc", tmp_path / "out"
    bars = ["".join(rng.choices("ABCDEFGabcdefg", k=8)) for _ in range(400)]
    bodies = ["|".join(bars), "|".join(["d4 d4", *bars[:-1]])]
    out.mkdir()
    path.write_text("".join(f"X:1\nT:{n}\nM:4/4\nL:1/8\nK:D\n{body}|]\n\n" for n, body in enumerate(bodies)))
    result = ingest([path], Abc(valid_only=False), SplitSettings(), "error", out)
    assert set(Corpus.open(out).segments[:, 3].tolist()) == {0}
    assert result.kept["records_in_no_subset"] == 1


@pytest.mark.parametrize("few", [0, 4, 100])
def test_groups_do_not_depend_on_how_many_pairs_are_compared(monkeypatch, few):
    monkeypatch.setattr("pipeline.data.near_copy_groups.MAX_ALL_PAIRS", few)
    grouping, rng = NearCopyGrouper(), np.random.default_rng(1)
    families = [rng.integers(0, 2**63, 40).astype(np.uint64) for _ in range(10)]
    for record in range(100):
        grouping.add_parts(record, rng.permutation(families[record % 10])[:30])
    assert grouping.groups(np.full(100, 10), 0.5).labels.tolist() == [n % 10 for n in range(100)]


def test_a_record_without_parts_is_alone():
    grouping = NearCopyGrouper()
    grouping.add_parts(0, np.zeros(0, np.uint64))
    groups = grouping.groups(np.array([5, 5, 5]), 0.5)
    assert groups.labels.tolist() == [0, 1, 2]
    assert groups.figures["largest_group"] == 1


def test_records_without_any_part_and_a_known_group():
    grouping = NearCopyGrouper()
    grouping.add_name(0, "g")
    grouping.add_name(2, "g")
    groups = grouping.groups(np.array([5, 5, 5, 5]), 0.6)
    assert (groups.labels.tolist(), groups.containment) == ([0, 1, 0, 2], 0.2)
