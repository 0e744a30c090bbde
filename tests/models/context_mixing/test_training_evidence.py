import random
import string
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import some_dna

from pipeline.config.schema import SplitSettings
from pipeline.data.alphabet import SPECIALS
from pipeline.data.batching import ContiguousStreams, Window
from pipeline.data.corpus import Corpus
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.text import Text
from pipeline.errors import ConfigError
from pipeline.models.context_mixing import training_evidence
from pipeline.models.context_mixing.evidence_layout import EvidenceLayout
from pipeline.models.context_mixing.training_evidence import StoredEvidence
from pipeline.models.context_mixing.training_index import TrainingIndex, encode_letters
from pipeline.stages.ingest import ingest

MIRRORED = np.array([0, 4, 3, 2, 1], np.uint8)


def dna_records() -> list[str]:
    """With a copy of one in another, and its reverse complement in a third."""
    records = [some_dna(700, seed).replace("\n", "").upper() for seed in range(12)]
    records[5] += records[3][100:300]
    records[7] += records[3][200:400].translate(str.maketrans("ACGT", "TGCA"))[::-1]
    return records


def text_records() -> list[str]:
    """With a copy of one in another."""
    rng = random.Random(0)
    records = ["".join(rng.choices(string.ascii_lowercase, k=200)) for _ in range(12)]
    records[5] += records[3][50:150]
    return records


def corpus_in(folder: Path, dna: bool, records: list[str] | None = None, by: str = "records") -> Corpus:
    domain, path = Nucleotide() if dna else Text(), folder / "data"
    records = records or (dna_records() if dna else text_records())
    heads = [f">r{number}\n" if dna else "" for number in range(len(records))]
    path.write_text("\n\n".join(map("".join, zip(heads, records, strict=True))))
    (folder / "corpus").mkdir()
    ingest([path], domain, SplitSettings(by, 0.1, 0.1), "error", folder / "corpus")
    return Corpus.open(folder / "corpus")


def store_evidence(corpus: Corpus, folder: Path) -> StoredEvidence:
    dna = len(corpus.alphabet) == len(SPECIALS) + 4
    complement = corpus.complement_codes(Nucleotide()) if dna else None
    return StoredEvidence.compute(build_layout(corpus), corpus, complement, folder)


def build_layout(corpus: Corpus) -> EvidenceLayout:
    letters = len(corpus.alphabet) - len(SPECIALS)
    return EvidenceLayout(
        letters, (1, 2, 11, 16) if letters == 4 else (), (12, 12) if letters == 4 else (4, 4)
    )


@pytest.mark.parametrize("dna", [True, False], ids=["dna", "text"])
def test_each_piece_has_the_evidence_of_a_library_without_it(dna, tmp_path):
    corpus = corpus_in(tmp_path, dna)
    stored = store_evidence(corpus, tmp_path)
    segments = corpus.subset_segments("train")
    pieces = [encode_letters(corpus.codes[a:b]) for a, b in segments]
    complement = MIRRORED if dna else None
    width = build_layout(corpus).width
    for number, (start, stop) in enumerate(segments):
        others = pieces[:number] + pieces[number + 1 :]
        index = TrainingIndex.from_pieces(build_layout(corpus), others, complement)
        for strand in range(1 + dna):
            x = pieces[number] if strand == 0 else MIRRORED[pieces[number][::-1]]
            shifted = np.concatenate([[0], x[:-1]]).astype(np.uint8)[None]
            _, values, names = index.read(index.new_state(1), shifted)
            way = 1 if strand == 0 else -1
            np.testing.assert_array_equal(stored.values[strand, start:stop], values[0, ::way])
            if not dna:
                np.testing.assert_array_equal(stored.letters[strand, start:stop], names[0])
    found = stored.values[:, :, len(build_layout(corpus).orders) * width :][..., :width]
    assert found.any()
    stored.close()


def test_a_long_record_is_read_in_pieces_as_long_as_what_is_held_out(tmp_path, monkeypatch):
    monkeypatch.setattr(training_evidence, "MIN_PIECE", 100)
    corpus = corpus_in(tmp_path, True, ["".join(random.Random(0).choices("ACGT", k=20_000))], by="blocks")
    stored, layout = store_evidence(corpus, tmp_path), build_layout(corpus)
    order_1 = stored.values[..., layout.channels * layout.width]
    held_out = corpus.subset_segments("validation")
    for start, stop in corpus.subset_segments("train"):
        # Only where a piece begins there is nothing before a symbol.
        beginnings = (order_1[:, start:stop] == 0).sum(1)
        expected = (stop - start) / (held_out[:, 1] - held_out[:, 0]).mean()
        assert (abs(beginnings - expected) <= 1).all()


@pytest.mark.parametrize("dna", [True, False], ids=["dna", "text"])
def test_a_window_has_the_evidence_of_its_targets(dna, tmp_path):
    corpus = corpus_in(tmp_path, dna)
    stored = store_evidence(corpus, tmp_path)
    # Every symbol says what it is: its position and strand, in place of its evidence.
    stored.values[...] = (np.arange(len(corpus.codes)) % 100)[None, :, None]
    stored.values[1:] += 20
    complement = corpus.complement_codes(Nucleotide()) if dna else None
    streams = ContiguousStreams(corpus.codes, corpus.subset_segments("train"), 4, 30, complement=complement)
    seen = set()
    for window in streams.windows(streams.buckets(np.random.default_rng(0))):
        values, names = stored.of_window(window)
        assert values.shape == (*window.targets.shape, build_layout(corpus).values)
        assert names.shape == ((1,) if dna else (*window.targets.shape, 2, build_layout(corpus).width))
        expected = window.positions % 100 + 20 * window.backwards[:, None]
        assert torch.equal(values[..., 0].long(), torch.from_numpy(expected))
        seen |= set(window.backwards.tolist())
    assert seen == ({True, False} if dna else {False})


def test_backwards_the_evidence_is_for_the_complement_of_each_symbol(tmp_path):
    """Where a copy is sure, its letter is the target, on either strand."""
    corpus = corpus_in(tmp_path, dna=True)
    stored, layout = store_evidence(corpus, tmp_path), build_layout(corpus)
    complement = corpus.complement_codes(Nucleotide())
    first = len(layout.orders) * layout.width
    for start, stop in corpus.subset_segments("train"):
        forward = corpus.codes[start:stop].astype(np.int64)
        for backwards in (False, True):
            positions = np.arange(start, stop)[None, :: -1 if backwards else 1]
            targets = complement[forward[::-1]][None] if backwards else forward[None]
            window = Window(targets, targets, True, positions, np.array([backwards]))
            strengths = stored.of_window(window)[0][0, :, first : first + 4].numpy()
            sure = (strengths.max(1) > 48) & (targets[0] >= len(SPECIALS))
            hits = strengths.argmax(1)[sure] + len(SPECIALS) == targets[0][sure]
            assert not sure.any() or hits.mean() > 0.9


def test_nothing_is_left_in_the_folder(tmp_path):
    corpus, folder = corpus_in(tmp_path, dna=False), tmp_path / "train"
    folder.mkdir()
    stored = store_evidence(corpus, folder)
    assert list(folder.iterdir()) == []
    stored.close()


def test_too_much_to_index_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(training_evidence, "MAX_SYMBOLS", 10)
    corpus = corpus_in(tmp_path, dna=False)
    with pytest.raises(ConfigError, match=r"at most 10 symbols, and these have .*; choose another model"):
        store_evidence(corpus, tmp_path)
