"""The reference groups: as long as the samples, from all test blocks, and a chain that cannot remember."""

import gzip
import random
from pathlib import Path

import pytest
from tiny import some_dna, some_text

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import Corpus
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.text import Text
from pipeline.evaluation.references import ReferenceMaker, limit_order, write_references
from pipeline.records import Sample
from pipeline.stages.ingest import ingest


def corpus_of(text: str, folder: Path, domain=None) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.fa").write_text(text, encoding="utf-8")
    ingest([folder / "data.fa"], domain or Nucleotide(), SplitSettings(), "error", folder)
    return Corpus.open(folder)


def samples_of(*lengths: int) -> list[Sample]:
    texts = (("ACGTTGCA" * 200)[:length] for length in lengths)
    return [Sample(index, 1, text, 0, False, -9.5) for index, text in enumerate(texts)]


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Corpus:
    return corpus_of(">chr1\n" + some_dna(60_000), tmp_path_factory.mktemp("genome"))


def made(corpus: Corpus, *lengths: int):
    return ReferenceMaker(corpus, Nucleotide(), samples_of(*lengths), 500, 0).make()


def test_references_have_the_lengths_of_the_samples(genome):
    references = made(genome, *[90] * 30)
    for name, group in references.compared.items():
        assert {len(record.symbols) for record in group} == {90}, name
    lengths = [80, 120, 100] * 10
    mixed = made(genome, *lengths)
    for name in ("shuffled", "training real"):
        assert sorted(len(record.symbols) for record in mixed.compared[name]) == sorted(lengths)
    (chain,) = (group for name, group in mixed.groups.items() if name.startswith("Markov"))
    assert [len(record.symbols) for record in chain] == lengths


def test_real_windows_come_from_all_test_blocks_and_name_them(genome):
    references = made(genome, *[100] * 30)
    held_out, blocks = references.groups["held-out real"], references.blocks["held-out real"]
    test = list(genome.records("test", Nucleotide()))
    assert set(blocks) == {record.id for record in test} and len(blocks) == len(held_out)
    texts = {record.id: record.symbols for record in test}
    assert all(each.symbols in texts[block] for each, block in zip(held_out, blocks, strict=True))


def test_the_control_is_of_the_training_split(genome):
    references = made(genome, *[100] * 30)
    training = [record.symbols for record in genome.records("train", Nucleotide())]
    assert len(references.control) == len(references.blocks["training real"]) == 30
    assert all(any(each.symbols in text for text in training) for each in references.control)


def test_short_records_cap_what_is_compared(tmp_path):
    rng = random.Random(1)
    peaks = "".join(f">p{n}\n{''.join(rng.choices('ACGT', k=300))}\n" for n in range(200))
    maker = ReferenceMaker(corpus_of(peaks, tmp_path), Nucleotide(), samples_of(*[500] * 20), 500, 0)
    assert maker.max_symbols == 300
    assert {len(r.symbols) for group in maker.make().compared.values() for r in group} == {300}


def test_the_chain_has_an_order_at_which_it_cannot_remember(genome, tmp_path):
    """60,000 bases on both strands have been seen 100 times in each context of 4 or 5 bases."""
    assert limit_order(genome, Nucleotide()) in (4, 5)
    # Some 20,000 characters of a composition as rich as that of 13 equally frequent ones.
    assert limit_order(corpus_of(some_text(400), tmp_path, Text()), Text()) <= 2
    one_letter = corpus_of(">a\n" + "A" * 5_000 + "\n", tmp_path / "b")
    assert limit_order(one_letter, Nucleotide()) == 0


def test_references_are_written_as_the_domain_writes(genome, tmp_path, monkeypatch):
    references = made(genome, *[100] * 30)
    paths = write_references(references, Nucleotide(), tmp_path)
    names = {path.name for path in paths}
    assert {"held_out_real.fasta", "shuffled.fasta", "training_real.fasta"} < names and len(names) == 4
    assert [r.symbols for r in Nucleotide().read(tmp_path / "held_out_real.fasta")] == [
        record.symbols for record in references.groups["held-out real"]
    ]
    monkeypatch.setattr("pipeline.evaluation.references.MAX_UNCOMPRESSED", 100)
    first, second = (
        write_references(references, Nucleotide(), tmp_path / name)[0].read_bytes() for name in "ab"
    )
    assert first == second and gzip.decompress(first).startswith(b">")
