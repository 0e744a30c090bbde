"""Blocks of one strain are not learned from another; repeats within a sequence are, and are counted."""

from pathlib import Path

import numpy as np
from sequences import changed, dna

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import Corpus
from pipeline.data.minimizers import Sketcher
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.records import StageResult
from pipeline.stages.ingest import ingest


def ingested(folder: Path, *sequences: str) -> tuple[Corpus, StageResult]:
    """The corpus of these sequences, split in blocks."""
    path, out = folder / "some.fa", folder / "out"
    out.mkdir()
    path.write_text("".join(f">s{number}\n{each}\n" for number, each in enumerate(sequences)))
    result = ingest([path], Nucleotide(), SplitSettings(), "error", out)
    return Corpus.open(out), result


def share_in_training(corpus: Corpus) -> float:
    """The share of the minimizers of held-out data that training has."""
    sketcher = Sketcher.for_corpus(Nucleotide(), corpus.alphabet, 1)
    train, validation, test = (
        sketcher.keys(corpus.codes, corpus.subset_segments(subset))[0] >> np.uint64(32)
        for subset in ("train", "validation", "test")
    )
    return float(np.isin(np.concatenate([validation, test]), train).mean())


def test_blocks_of_a_strain_are_not_learned_from_another(tmp_path):
    one = dna(200_000, 1)
    other = changed(one, 2_000)
    turned, backwards = other[120_000:] + other[:120_000], reverse_complement(other)[:150_000]
    corpus, result = ingested(tmp_path, one, turned, backwards)
    assert share_in_training(corpus) < 0.05
    assert corpus.subset_size("train") > 0.8 * len(corpus.codes)
    assert 10_000 < result.figures["purged_symbols"] < 60_000
    assert result.figures["test_share_in_training"] < 0.02
    assert "are near-copies of held-out blocks and are not trained on" in result.summary[1]


def test_a_region_within_a_longer_one_is_not_learned_where_that_is_held_out(tmp_path):
    genome = dna(100_000, 1)
    corpus, _ = ingested(tmp_path, genome, genome[20_000:60_000], dna(50_000, 2))
    assert share_in_training(corpus) < 0.05
    assert set(corpus.segments[corpus.segments[:, 2] > 0, 3].tolist()) == {0, 2}


def test_repeats_within_one_sequence_are_learned_and_counted(tmp_path):
    repeat, parts = dna(3_000, 1), [dna(3_000, number) for number in range(2, 42)]
    _, result = ingested(tmp_path, "".join(part + repeat for part in parts))
    assert result.figures["purged_symbols"] == 0
    assert 0.2 < result.figures["test_share_in_training"] < 0.8
    assert result.summary[1].endswith("% of the test split is in the training data too: repeats")


def test_an_unrelated_sequence_is_learned_whole(tmp_path):
    _, result = ingested(tmp_path, dna(100_000, 1), dna(100_000, 2))
    assert (result.figures["purged_symbols"], result.figures["test_share_in_training"]) == (0, 0)
    assert len(result.summary) == 1
