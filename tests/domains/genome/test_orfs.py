"""Open reading frames: against Biopython's translation of all six frames, and by hand."""

import random
from pathlib import Path

import pytest
from Bio.Seq import Seq

from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.orfs import CODONS, amino_acids, find_orfs
from pipeline.errors import ConfigError

EMBEDDED = Path(__file__).parents[3] / "datasets" / "drosophila" / "upstream.fa.gz"


@pytest.fixture(scope="module")
def fly() -> str:
    return str(next(record for record in Nucleotide().read(EMBEDDED)).symbols)


def cut_out(sequence: str, orf) -> str:
    part = Seq(sequence[orf.start : orf.end])
    return str(part if orf.strand == "+" else part.reverse_complement())


def proteins_by_biopython(sequence: str) -> list[str]:
    """Every interval from the first M of a stop-free interval to a stop, of each of the six frames."""
    found = []
    for strand in (Seq(sequence), Seq(sequence).reverse_complement()):
        for frame in range(3):
            whole = strand[frame : frame + (len(strand) - frame) // 3 * 3]
            # What follows the last stop has no end.
            for open_part in str(whole.translate()).split("*")[:-1]:
                if "M" in open_part:
                    found.append(open_part[open_part.index("M") :] + "*")
    return sorted(found)


def test_all_six_frames_are_those_of_biopython(fly):
    found = list(find_orfs(fly, shortest_bp=3))
    assert sorted(str(Seq(cut_out(fly, orf)).translate()) for orf in found) == proteins_by_biopython(fly)
    assert found == sorted(found)
    for orf in found:
        offset = orf.start if orf.strand == "+" else len(fly) - orf.end
        assert offset % 3 == orf.frame
        assert orf.length % 3 == 0


def test_from_stop_to_stop_as_biopython_splits_a_translation(fly):
    found = [cut_out(fly, orf) for orf in find_orfs(fly, 3, "stop-to-stop", partial=True)]
    expected = []
    for strand in (Seq(fly), Seq(fly).reverse_complement()):
        for frame in range(3):
            whole = strand[frame : frame + (len(strand) - frame) // 3 * 3]
            expected += [part for part in str(whole.translate()).split("*") if part]
    assert sorted(str(Seq(each).translate()) for each in found) == sorted(expected)


def test_a_gene_is_found_where_it_stands_on_either_strand():
    gene = "ATGGCCAAATGA"
    (forward,) = find_orfs("CC" + gene + "C", shortest_bp=12)
    assert forward == (2, 14, "+", 2, False)
    (backward,) = find_orfs("C" + str(Seq(gene).reverse_complement()) + "CC", shortest_bp=12)
    assert backward == (1, 13, "-", 2, False)
    assert backward.length == 12


def test_what_the_end_cuts_off_comes_only_when_asked_for():
    sequence = "TAAATGGCCAAAGCC"
    assert not [orf for orf in find_orfs(sequence, 6) if orf.strand == "+"]
    assert (3, 15, "+", 0, True) in list(find_orfs(sequence, 6, partial=True))


def test_length_limit_code_and_other_letters():
    sequence = "ATGTGATGGTAA"
    assert [orf.end for orf in find_orfs(sequence, 6)] == [6]
    # in the mitochondrial code of invertebrates TGA is tryptophan
    assert [orf.end for orf in find_orfs(sequence, 6, table=5)] == [12]
    assert list(find_orfs(sequence, 9)) == []
    assert [orf.end for orf in find_orfs("ATGTGNTGGTAA", 6)] == [12]
    assert list(find_orfs("")) == list(find_orfs("AT")) == []


def test_unknown_definitions_and_codes_are_errors_that_say_what_there_is():
    with pytest.raises(ConfigError, match="stop-to-stop"):
        list(find_orfs("ATG", definition="long"))
    with pytest.raises(ConfigError, match="no genetic code 7; NCBI's are 1, 2, 3"):
        list(find_orfs("ATG", table=7))


def test_the_genetic_code_is_in_the_order_of_codons():
    assert amino_acids() == "".join(str(Seq(codon).translate()) for codon in CODONS)


def test_a_million_random_bases_take_no_time_worth_mentioning():
    sequence = "".join(random.Random(0).choices("ACGT", k=1_000_000))
    longest = max(find_orfs(sequence, 300), key=lambda orf: orf.length)
    # Of six million bases in frames, chance alone leaves a few hundred codons without a stop.
    assert 500 < longest.length < 1500
