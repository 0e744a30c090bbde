"""Every measure of DNA against a plain count, a known answer, or the program whose definition it follows."""

import itertools
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO

from pipeline.domains.genome.compare import composition, mutual_information, reading_frames, repeats, spectra
from pipeline.domains.genome.compare.low_complexity import low_complexity
from pipeline.domains.genome.compare.sequence_sets import MAX_BASES, encode_sequences
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import encode, reverse_complement
from pipeline.domains.genome.orfs import CODONS, amino_acids

EMBEDDED = Path(__file__).parents[4] / "datasets" / "drosophila" / "upstream.fa.gz"


@pytest.fixture(scope="module")
def fly() -> list[str]:
    return [str(record.symbols) for record in itertools.islice(Nucleotide().read(EMBEDDED), 40)]


def both_strands(sequences: list[str], k: int) -> Counter:
    strands = [*sequences, *map(reverse_complement, sequences)]
    return Counter(text[at : at + k] for text in strands for at in range(len(text) - k + 1))


def tandem(text: str) -> set[int]:
    """The bases that a regular expression finds in tandem repeats of units of 2 to 6 bases."""
    found = set()
    for unit in range(2, 7):
        for start in range(len(text)):
            word = text[start : start + unit]
            if any(word == word[:part] * (unit // part) for part in range(1, unit) if unit % part == 0):
                continue
            stop = start + unit
            while stop < len(text) and text[stop] == text[stop - unit]:
                stop += 1
            if len(word) == unit and stop - start >= max(12, 3 * unit):
                found.update(range(start, stop))
    return found


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_kmers_are_those_of_a_plain_count_on_both_strands(fly, k):
    counts = spectra.spectrum_tally(encode_sequences(fly), k).sum(axis=0)
    plain = Counter()
    for word, count in both_strands(fly, k).items():
        plain[min(word, reverse_complement(word))] += count / 2
    words = ("".join(letters) for letters in itertools.product("ACGT", repeat=k))
    assert counts.tolist() == [plain[word] for word in words if word <= reverse_complement(word)]


def test_gc_and_its_spread_over_windows(fly):
    bases = composition.base_tally(encode_sequences(fly)).sum(axis=0)
    text = "".join(fly)
    assert composition.gc_content(bases) == pytest.approx(
        100 * (text.count("G") + text.count("C")) / len(text)
    )
    windows = [each[at : at + 100] for each in fly for at in range(0, len(each) - 99, 100)]
    values = [window.count("G") + window.count("C") for window in windows]
    counts = composition.window_tally(encode_sequences(fly), 100).sum(axis=0)
    assert counts.sum() == len(windows)
    assert composition.window_spread(counts) == pytest.approx(np.std(values))


def test_odds_ratios_are_karlins_of_both_strands(fly):
    pairs, letters = both_strands(fly, 2), both_strands(fly, 1)
    found = composition.odds_ratios(spectra.pair_tally(encode_sequences(fly)).sum(axis=0))
    for number, ratio in zip(composition.DISTINCT, found, strict=True):
        first, second = composition.DINUCLEOTIDES[number]
        expected = letters[first] * letters[second] / letters.total() ** 2
        # Ends of sequences are in no pair on one side, hence the tolerance.
        assert ratio == pytest.approx(pairs[first + second] / pairs.total() / expected, rel=1e-3)


def test_cpg_of_an_island_and_of_none():
    rng = random.Random(1)
    depleted = "".join(rng.choices("ACGT", k=20_000)).replace("CG", "TG")
    island = "".join(rng.choices(["CG", "A", "T", "GC"], k=20_000))
    low, high = (
        composition.cpg(spectra.pair_tally(encode_sequences([text])).sum(axis=0))
        for text in (depleted, island)
    )
    assert low < 0.05 and high > 1.3


def test_karlins_distance_weighs_all_sixteen():
    one, other = np.ones(10), np.ones(10)
    other[composition.DISTINCT.index(composition.DINUCLEOTIDES.index("CG"))] = 1.16
    assert composition.karlin_distance(one, other) == pytest.approx(10)
    other[:] = 1.1
    assert composition.karlin_distance(one, other) == pytest.approx(100)


def test_runs_of_one_letter_are_those_of_a_regular_expression(fly):
    runs = repeats.run_tally(encode_sequences(fly)).sum(axis=0)
    plain = Counter(len(match[0]) for text in fly for match in re.finditer(r"(.)\1*", text))
    assert {length: count for length, count in enumerate(runs[:61]) if count} == plain
    long = sum(length * count for length, count in plain.items() if length >= 6)
    assert repeats.long_run_share(runs) == pytest.approx(100 * long / sum(map(len, fly)))


def test_tandem_repeats_cover_what_a_plain_search_covers(fly):
    texts = [*fly[:12], "GATTACA" + "CAG" * 5 + "TTGACC", "TATATATATATA", "CAGCAGCAGCA"]
    tracts = repeats.tract_tally(encode_sequences(texts)).sum(axis=0)
    assert tracts[-2] == sum(len(tandem(text)) for text in texts) > 50
    assert repeats.tract_tally(encode_sequences(["GATTACA" + "CAG" * 5 + "TTGACC"])).sum(axis=0)[15] == 1
    # A run of one letter is no tandem repeat.
    assert repeats.tract_tally(encode_sequences(["G" + "A" * 30])).sum(axis=0)[-2] == 0


def test_low_complexity_is_that_of_dustmasker(fly, tmp_path):
    if shutil.which("dustmasker") is None:
        pytest.skip("dustmasker of BLAST+ is not on PATH")
    texts = [*fly, "ACGT" * 30, "A" * 100, "CAG" * 4 + "GATTACAGGCATTCAGGA"]
    (tmp_path / "in.fa").write_text("".join(f">s{n}\n{text}\n" for n, text in enumerate(texts)))
    command = ["dustmasker", "-in", "in.fa", "-outfmt", "fasta", "-out", "out.fa"]
    subprocess.run(command, cwd=tmp_path, check=True)
    masked = [
        [letter.islower() for letter in record.seq] for record in SeqIO.parse(tmp_path / "out.fa", "fasta")
    ]
    assert [low_complexity(encode(text)).tolist() for text in texts] == masked
    assert 1000 < sum(map(sum, masked)) < sum(map(len, texts)) / 2


def test_low_complexity_needs_no_program_and_never_reaches_over_an_end():
    assert low_complexity(encode("GATTACAT" + "A" * 30 + "GGCATCAGTC"))[8:38].all()
    parts = low_complexity(encode("ACGTTGCAACGAAAA|AAAACGTTGCATGACC"))
    assert not parts.any()


def orfs(text: str) -> list[str]:
    """Complete reading frames, from the first ATG after a stop to the next stop, on both strands."""
    found = []
    for strand in (text, reverse_complement(text)):
        for frame in range(3):
            inside = []
            for at in range(frame, len(strand) - 2, 3):
                codon = strand[at : at + 3]
                if inside or codon == "ATG":
                    inside.append(codon)
                if inside and codon in ("TAA", "TAG", "TGA"):
                    found.append(inside)
                    inside = []
    return found


def test_orfs_and_their_codons_are_those_of_a_plain_search(fly):
    frames = reading_frames.frame_tally(encode_sequences(fly)).sum(axis=0)
    plain = [codons for text in fly for codons in orfs(text)]
    assert {n: c for n, c in enumerate(frames[: reading_frames.MAX_CODONS]) if c} == Counter(map(len, plain))
    long = [codons for codons in plain if 3 * len(codons) >= reading_frames.MIN_ORF_BP]
    assert len(long) > 50
    bases = sum(map(len, fly))
    assert reading_frames.orfs_per_kb(frames) == pytest.approx(1000 * len(long) / bases)
    lengths = [3 * len(codons) for codons in long]
    assert reading_frames.mean_orf_length(frames) == pytest.approx(np.mean(lengths))
    used = Counter(codon for codons in long for codon in codons[1:-1])
    sense = [CODONS[number] for number in reading_frames.SENSE]
    assert reading_frames.codon_counts(frames).tolist() == [used[codon] for codon in sense]


def test_synonymous_usage_is_one_without_preference():
    usage = reading_frames.synonymous_usage(np.full(61, 7.0))
    assert usage == pytest.approx(np.ones(61))
    counts = np.zeros(61)
    leucine = [place for place, number in enumerate(reading_frames.SENSE) if amino_acids()[number] == "L"]
    counts[leucine[0]] = 12
    assert reading_frames.synonymous_usage(counts)[leucine].tolist() == [6, 0, 0, 0, 0, 0]


def test_mutual_information_is_that_of_a_plain_count(fly):
    counts = mutual_information.pair_tally(encode_sequences(fly), 300)
    bits = mutual_information.mutual_information(counts.sum(axis=0))
    for distance in (1, 3, 77, 300):
        pairs = Counter(pair for text in fly for pair in zip(text, text[distance:], strict=False))
        total = pairs.total()
        first, second = Counter(), Counter()
        for (a, b), count in pairs.items():
            first[a] += count
            second[b] += count
        plain = sum(
            count / total * np.log2(count * total / first[a] / second[b]) for (a, b), count in pairs.items()
        )
        assert bits[distance - 1] == pytest.approx(plain - 9 / (2 * total * np.log(2)), abs=1e-6)


def test_unrelated_letters_have_no_mutual_information_and_a_period_has():
    rng = random.Random(1)
    chance = ["".join(rng.choices("ACGT", k=3000)) for _ in range(40)]
    units = ["".join(rng.choices("ACGT", k=500)) for _ in range(20)]
    periodic = [unit * 5 for unit in units]
    for texts, expected in ((chance, 0), (periodic, 2)):
        assert mutual_information.usable_distance([encode_sequences(texts)]) >= 1500
        counts = mutual_information.pair_tally(encode_sequences(texts), 1500).sum(axis=0)
        bits = mutual_information.mutual_information(counts)
        assert bits[499] == pytest.approx(expected, abs=0.01)
        assert abs(bits[600:900]).max() < 0.01
    assert mutual_information.usable_distance([encode_sequences(["ACGT"])]) == 0


def test_bands_of_distances_cover_all_and_overlap_nowhere():
    bands = mutual_information.curve_bands(2000)
    covered = [distance for low, high in bands for distance in range(low, high + 1)]
    assert covered == list(range(1, 2001))


def test_a_pool_of_much_is_bounded_and_one_of_little_is_cut():
    assert encode_sequences(["ACGT" * 100_000] * 10).unit_sizes.sum() == MAX_BASES
    assert encode_sequences(["A" * 3000]).units == 20
    assert encode_sequences(["A" * 300, "C" * 50]).unit_sizes.tolist() == [100, 100, 100, 50]
