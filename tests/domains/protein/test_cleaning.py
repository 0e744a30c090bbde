"""From the letters of a protein FASTA to records: what is kept, split, replaced and left out."""

import pytest

from pipeline.domains.genome.files import SequenceChunk, SequenceHeader
from pipeline.domains.genome.titles import make_names_unique
from pipeline.domains.protein.cleaning import Policy, clean_proteins
from pipeline.errors import DataError
from pipeline.records import Notice, Record, Rejection

DEFAULTS = {"ambiguous": "drop", "inner_stop": "drop", "rare": "replace", "min_length": 3, "max_length": 100}


def cleaned(*texts: str, pieces: int = 0, **settings) -> list[Record | Rejection]:
    """What becomes of proteins a, b, c ...; the letters come in pieces of so many."""
    parts: list[SequenceHeader | SequenceChunk] = []
    for number, text in enumerate(texts):
        parts.append(SequenceHeader("abcdefgh"[number], "", 2 * number + 1))
        size = pieces or max(len(text), 1)
        parts += [
            SequenceChunk(text[start : start + size].encode(), False) for start in range(0, len(text), size)
        ]
    return list(clean_proteins(parts, "x.faa", Policy(**{**DEFAULTS, **settings})))


def kept(*texts: str, **settings) -> dict[str, str]:
    return {item.id: item.symbols for item in cleaned(*texts, **settings) if isinstance(item, Record)}


def reasons(*texts: str, **settings) -> list[str]:
    return [item.reason for item in cleaned(*texts, **settings) if isinstance(item, Rejection)]


@pytest.mark.parametrize("pieces", [0, 1, 3])
@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("MKV", {}, {"a": "MKV"}),
        ("mkvL", {}, {"a": "MKVL"}),
        ("MKV*", {}, {"a": "MKV"}),
        ("M--KV.", {}, {"a": "MKV"}),
        ("MUKO", {}, {"a": "MCKK"}),
        ("MUKO", {"rare": "keep"}, {"a": "MUKO"}),
        ("MKXVL", {}, {}),
        ("MK*VL", {}, {}),
        ("MKVLXAAAAZ", {"ambiguous": "split"}, {"a:1-4": "MKVL", "a:6-9": "AAAA"}),
        ("MKVL*AAAA*", {"inner_stop": "split"}, {"a:1-4": "MKVL", "a:6-9": "AAAA"}),
        ("MKVL*", {"inner_stop": "split"}, {"a": "MKVL"}),
        ("*MKVL", {"inner_stop": "split"}, {"a:2-5": "MKVL"}),
        ("MKVL**AAAA", {"inner_stop": "split"}, {"a:1-4": "MKVL", "a:7-10": "AAAA"}),
        ("MKVLX", {"ambiguous": "split"}, {"a:1-4": "MKVL"}),
        ("MKX*AAA", {"ambiguous": "split", "inner_stop": "split"}, {"a:5-7": "AAA"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_becomes_of_a_protein(text, settings, expected, pieces):
    assert kept(text, pieces=pieces, **settings) == expected


def test_a_code_becomes_one_of_its_amino_acids_the_same_in_every_run():
    first, again = (kept("MBJZX" * 10, ambiguous="random")["a"] for _ in range(2))
    assert first == again
    for code, choices in {"B": "DN", "J": "IL", "Z": "EQ", "X": "ACDEFGHIKLMNPQRSTVWY"}.items():
        chosen = {first[place] for place, letter in enumerate("MBJZX" * 10) if letter == code}
        assert chosen <= set(choices) and len(chosen) > 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MK", "shorter than 3 residues"),
        ("M" * 101, "longer than 100 residues"),
        ("M" * 90_000, "longer than 100 residues"),
        ("", "empty record"),
        ("*", "empty record"),
        ("ACGT" * 20, "looks like DNA or RNA; use dataset=genome"),
        ("MKBV", "ambiguous amino acid (domain.ambiguous)"),
        ("MK*V", "stop inside the protein"),
        ("MK-V", "gaps of an alignment taken out (kept)"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_left_out_is_counted_by_reason(text, reason):
    (found,) = [each for each in reasons(text, pieces=40) if each]
    assert found == reason


def test_the_longest_is_still_kept():
    assert kept("M" * 100 + "*") == {"a": "M" * 100}


def test_a_place_is_named():
    (found,) = cleaned("MKVLB")
    assert (found.where, found.detail) == ("x.faa:a", "B at residue 5")


def test_an_inner_stop_may_be_an_error():
    with pytest.raises(DataError, match=r"x\.faa:a: stop '\*' at residue 3, .*domain.inner_stop=drop"):
        cleaned("MK*VL", inner_stop="error")


def test_the_second_of_two_names_gets_its_own():
    parts = [
        SequenceHeader("a", "", 1),
        SequenceChunk(b"MKVL", False),
        SequenceHeader("a", "", 3),
        SequenceChunk(b"MMMM", False),
    ]
    found = list(clean_proteins(make_names_unique(parts, "x.faa"), "x.faa", Policy(**DEFAULTS)))
    records, (notice,) = ([item for item in found if isinstance(item, kind)] for kind in (Record, Notice))
    assert [(item.id, item.symbols) for item in records] == [("a", "MKVL"), ("a.2", "MMMM")]
    assert "'a.2' is the second 'a' (line 3)" in str(notice)
