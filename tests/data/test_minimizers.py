"""Minimizers equal those of a plain definition, for several windows, chunks and both strands."""

import numpy as np
import pytest
from tiny import some_dna

from pipeline.data.alphabet import Alphabet
from pipeline.data.minimizers import Sketcher
from pipeline.domain import SketchSettings
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.domains.protein.domain import Protein
from pipeline.domains.text import Text

ALPHABET = Alphabet(Nucleotide.alphabet)
DNA = "".join(some_dna(3_000).split()).upper()


def sketch(*sequences: str) -> tuple[np.ndarray, np.ndarray]:
    codes = [ALPHABET.encode(each, "replace", "x") for each in sequences]
    ends = np.cumsum([len(each) for each in codes])
    spans = np.column_stack([ends - [len(each) for each in codes], ends])
    sketcher = Sketcher.for_corpus(Nucleotide(), ALPHABET, int(ends[-1]))
    return sketcher.keys(np.concatenate(codes), spans)


def hashes(sequence: str) -> set[int]:
    return {int(key) >> 32 for key in sketch(sequence)[0]}


def test_each_window_of_k_mers_has_its_smallest():
    every = {start: min(hashes(DNA[start : start + 16])) for start in range(400)}  # of one k-mer, its own
    chosen = set(sketch(DNA[:415])[1].tolist())
    expected = {min(range(at, at + 8), key=lambda start: every[start]) for at in range(393)}
    assert chosen == expected


def test_the_other_strand_has_the_same():
    assert hashes(DNA) == hashes(reverse_complement(DNA))
    assert 500 < len(hashes(DNA)) < 800  # 2 / 9 of the bases


def test_those_of_a_fragment_are_among_those_of_its_source():
    assert hashes(DNA[700:900]) <= hashes(DNA)
    assert not hashes(DNA[:1_500]) & hashes("".join(some_dna(1_500, seed=9).split()).upper())


@pytest.mark.parametrize(("length", "count"), [(15, 0), (16, 1), (20, 1), (23, 1)])
def test_a_short_record_has_one(length, count):
    assert len(sketch(DNA[:length])[0]) == count


def test_no_k_mer_crosses_a_record_or_an_unknown_symbol():
    apart = hashes(DNA[:500]) | hashes(DNA[500:900])
    together = {int(key) >> 32 for key in sketch(DNA[:500], DNA[500:900])[0]}
    broken = hashes(DNA[:500] + "N" + DNA[500:900])
    assert apart == together == broken


def test_chunks_of_the_file_change_nothing(tmp_path, monkeypatch):
    codes = ALPHABET.encode(DNA, "error", "x")
    (tmp_path / "codes.bin").write_bytes(codes.tobytes())
    ends = np.array([100, 900, 1_000, 3_000])
    spans = np.column_stack([np.append(0, ends[:-1]), ends])
    sketcher = Sketcher.for_corpus(Nucleotide(), ALPHABET, 3_000)
    for size in (1, 950, 10_000):
        monkeypatch.setattr("pipeline.data.minimizers.CHUNK_SYMBOLS", size)
        pieces = sketcher.read(tmp_path / "codes.bin", codes.dtype, spans)
        for read, expected in zip(zip(*pieces, strict=True), sketcher.keys(codes, spans), strict=True):
            assert np.array_equal(np.concatenate(read), expected)


def test_more_minimizers_than_expected_are_all_found():
    broken = "N".join(DNA[at : at + 16] for at in range(0, 2_976, 16))
    codes = ALPHABET.encode(broken, "replace", "x")
    sketcher = Sketcher(16, 200, 2, np.array([3, 2, 1, 0]))
    keys, places = sketcher.keys(codes, np.array([[0, len(codes)]]))
    assert np.array_equal(places, np.arange(0, len(codes), 17)) and len(keys) == 186


def test_windows_widen_so_that_memory_stays_bounded():
    widths = [
        Sketcher.for_corpus(Nucleotide(), ALPHABET, symbols).window for symbols in (10**6, 10**8, 10**9)
    ]
    assert widths == [8, 23, 238]


def test_domains_without_a_sketch_and_long_k_mers():
    assert Text().sketch is None and Protein(redundancy="exact").sketch is None
    assert Protein().sketch == SketchSettings(k=6, window=4)
