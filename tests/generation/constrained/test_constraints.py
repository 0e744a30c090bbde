"""Constraints on a real model: what is drawn keeps them all, and what cannot be kept is told at once."""

import dataclasses
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from pipeline.data.alphabet import Alphabet
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.errors import ConfigError
from pipeline.generation.constrained.automaton import ProductAutomaton, ViableStates
from pipeline.generation.constrained.constraint_processor import build_logits_processors
from pipeline.generation.constrained.constraints import KINDS, ConstraintAlphabet, build_constraints
from pipeline.generation.constrained.repetition_penalty import RepetitionPenalty
from pipeline.generation.engine import BLOCK, draw
from pipeline.generation.request import Request
from pipeline.models.recurrent import Recurrent

DNA = ConstraintAlphabet.from_domain(Nucleotide(), Alphabet("ACGT"))
WORDS = ConstraintAlphabet(Alphabet("abc "))
NOTES = ConstraintAlphabet(Alphabet(["C4", "D4", "E4", "|"]))


def model_of(language: ConstraintAlphabet) -> torch.nn.Module:
    torch.manual_seed(3)
    return Recurrent("lstm", 16, 1).build(len(language.alphabet)).eval()


def drawn(language: ConstraintAlphabet, *wishes: dict, length: int = 60, count: int = 20, **changes) -> list:
    processor = build_logits_processors(build_constraints(wishes), language, length)
    request = Request(count, length, 5, open_ended=language.open_ended, processor=processor)
    return list(draw(model_of(language), language.alphabet, dataclasses.replace(request, **changes)))


def test_every_example_of_the_documentation_can_be_drawn():
    page = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "sampling-with-control.md").read_text(
        encoding="utf-8"
    )
    examples = [yaml.safe_load(text) for text in re.findall(r"^\| `(\{kind: .*?\})` \|", page, re.MULTILINE)]
    assert {each["kind"] for each in examples} == set(KINDS)
    for each in examples:
        assert len(drawn(DNA, each)) == 20
    (several,) = re.findall(r"sample\.constraints='(.*)'", page)
    assert len(drawn(DNA, *yaml.safe_load(several))) == 20


def test_a_part_of_the_alphabet():
    assert {*"".join(s.symbols for s in drawn(DNA, {"kind": "symbols", "only": "AC"}))} == {"A", "C"}
    assert {*"".join(s.symbols for s in drawn(DNA, {"kind": "symbols", "without": "S"}))} == {"A", "T"}


def test_no_motif_on_either_strand():
    sites = {"kind": "motifs", "never": ["GAATTC", "GGNCC", "AAG"]}
    found = re.compile("GAATTC|GG.CC|AAG")
    assert any(found.search(s.symbols) for s in drawn(DNA))
    for sample in drawn(DNA, sites, count=BLOCK + 6):
        assert len(sample.symbols) == 60
        assert not found.search(sample.symbols) and not found.search(reverse_complement(sample.symbols))
    one_strand = drawn(DNA, {**sites, "both_strands": False})
    assert any("CTT" in s.symbols for s in one_strand) and not any("AAG" in s.symbols for s in one_strand)


def test_motifs_that_leave_one_way_are_followed_to_the_end():
    """After A only C may come, after AC nothing: so there is no A but at the end."""
    never = ["AA", "AG", "AT", "ACA", "ACC", "ACG", "ACT"]
    samples = drawn(DNA, {"kind": "motifs", "never": never, "both_strands": False}, count=BLOCK)
    assert all("A" not in s.symbols[:-2] for s in samples)
    assert any("A" in s.symbols for s in samples)


def test_no_stop_in_frame_counts_from_the_start_of_the_prime():
    for sample in drawn(DNA, {"kind": "frame", "frame": 1}, count=BLOCK, prime="CATGTA"):
        codons = [sample.symbols[at : at + 3] for at in range(1, 58, 3)]
        assert sample.symbols.startswith("CATGTA") and not {"TAA", "TAG", "TGA"} & {*codons}


def test_a_required_end_of_sequences_with_and_without_an_end():
    for sample in drawn(DNA, {"kind": "end", "one_of": ["TATAAA", "GNNC"]}):
        assert re.search("(TATAAA|G..C)$", sample.symbols) and len(sample.symbols) == 60
    for sample in drawn(WORDS, {"kind": "end", "one_of": ["cab"]}, length=25):
        assert sample.symbols.endswith("cab") and sample.ended and len(sample.symbols) < 25


def test_lengths():
    assert {len(s.symbols) for s in drawn(WORDS, {"kind": "length", "exactly": 9})} == {9}
    assert all(s.ended for s in drawn(WORDS, {"kind": "length", "exactly": 9}))
    some = drawn(WORDS, {"kind": "length", "at_least": 4, "at_most": 8}, count=64)
    lengths = {len(s.symbols) for s in some}
    assert lengths <= {4, 5, 6, 7, 8} and len(lengths) > 2
    assert {len(s.symbols) for s in drawn(DNA, {"kind": "length", "exactly": 60})} == {60}


def shares_of(symbols: str, of: str, length: int) -> set[float]:
    return {
        sum(symbols[at : at + length].count(letter) for letter in of) / length
        for at in range(len(symbols) - length + 1)
    }


def test_every_window_keeps_its_share():
    window = {"kind": "window", "of": "GC", "length": 10, "low": 0.4, "high": 0.5}
    assert not shares_of(drawn(DNA)[0].symbols, "GC", 10) <= {0.4, 0.5}
    for sample in drawn(DNA, window, count=BLOCK + 3):
        assert shares_of(sample.symbols, "GC", 10) <= {0.4, 0.5} and len(sample.symbols) == 60
    # A window that the sequence does not fill is the sequence.
    for sample in drawn(DNA, {**window, "length": 500}, length=20):
        assert 8 <= sum(map(sample.symbols.count, "GC")) <= 10


def test_windows_recover_from_a_prime_that_breaks_them():
    for sample in drawn(DNA, {"kind": "window", "length": 10, "low": 0.4, "high": 0.6}, prime="G" * 15):
        assert shares_of(sample.symbols[15:], "GC", 10) <= {0.4, 0.5, 0.6}


def test_all_at_once():
    wishes = (
        {"kind": "window", "of": "GC", "length": 20, "low": 0.45, "high": 0.55},
        {"kind": "window", "of": "AG", "length": 9, "low": 0.3, "high": 0.7},
        {"kind": "motifs", "never": ["GAATTC", "CCWGG", "AAA", "GC"]},
        {"kind": "frame"},
        {"kind": "end", "one_of": ["TGGCA", "TGGAC"]},
    )
    for sample in drawn(DNA, *wishes, length=240, count=BLOCK):
        text = sample.symbols
        assert all(0.45 <= share <= 0.55 for share in shares_of(text, "GC", 20))
        assert all(0.3 <= share <= 0.7 for share in shares_of(text, "AG", 9))
        assert not re.search("GAATTC|CC[AT]GG|AAA|TTT|GC", text[:-5]) and text.endswith("TGGAC")
        assert not {"TAA", "TAG", "TGA"} & {text[at : at + 3] for at in range(0, 240, 3)}


@pytest.mark.parametrize(
    "wishes",
    [
        [{"kind": "symbols", "only": "A"}, {"kind": "motifs", "never": ["AA"]}],
        [{"kind": "symbols", "only": "AT"}, {"kind": "window", "low": 0.4, "length": 10}],
        [{"kind": "end", "one_of": ["GAATTC"]}, {"kind": "motifs", "never": ["GAATTC"]}],
        [{"kind": "end", "one_of": ["GGGGGGGGGG"]}, {"kind": "window", "high": 0.5, "length": 10}],
    ],
)
def test_what_cannot_be_kept_is_an_error_that_names_it(wishes):
    told = r"cannot all be kept: .* sample 0 at position \d+ of 60 \(\w+\(.*; \w+\("
    with pytest.raises(ConfigError, match=told):
        drawn(DNA, *wishes)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"kind": "motif"}, r"constraints\[0\]: its kind is 'motif', not one of symbols, motifs"),
        ({"kind": "motifs", "nevr": ["A"]}, r"\[0\].nevr: .* did you mean .*\[0\].never"),
        ({"kind": "motifs", "never": ["GAXTC"]}, r"motifs: 'GAXTC' has 'X', which is not one of A C G T U R"),
        ({"kind": "length", "exactly": 9}, r"length: 9 to 9 symbols, .* exactly sample.length=60"),
        ({"kind": "window", "length": 3, "low": 0.4, "high": 0.5}, "no whole number of 3 symbols"),
        ({"kind": "frame", "never": ["TAA", "TA"]}, "words of one length"),
        ({"kind": "end"}, "one_of names no motif"),
    ],
)
def test_a_constraint_that_means_nothing_is_an_error(wish, message):
    with pytest.raises(ConfigError, match=message):
        drawn(DNA, wish)


def test_weights_change_how_often():
    more = drawn(DNA, {"kind": "weights", "add": {"G": 3.0}})
    assert sum(s.symbols.count("G") for s in more) > 3 * sum(s.symbols.count("G") for s in drawn(DNA))


def test_symbols_of_several_characters():
    never, end = {"kind": "motifs", "never": ["C4 D4", "| |"]}, {"kind": "end", "one_of": ["E4 |"]}
    for sample in drawn(NOTES, never, end):
        pairs = set(itertools.pairwise(sample.symbols))
        assert not pairs & {("C4", "D4"), ("|", "|")} and sample.symbols[-2:] == ("E4", "|")


def test_log_probabilities_are_those_of_the_model_alone():
    model = model_of(DNA)
    (sample,) = drawn(DNA, {"kind": "motifs", "never": ["AA", "CC", "GG"]}, count=1)
    codes = torch.from_numpy(DNA.alphabet.encode(sample.symbols).astype(np.int64))
    with torch.no_grad():
        logits = model(torch.cat([torch.zeros(1, dtype=torch.int64), codes[:-1]])[None])[0][0].double()
    own = logits.log_softmax(-1).gather(-1, codes[:, None]).sum()
    assert sample.log_probability == pytest.approx(float(own), rel=1e-6)


def test_a_penalty_makes_repetition_rarer():
    def longest_run(samples: list) -> int:
        return max(len(list(run)) for s in samples for _, run in itertools.groupby(s.symbols))

    model, request = model_of(DNA), Request(20, 60, 5, open_ended=True)
    never = dataclasses.replace(request, processor=RepetitionPenalty(50.0, 1))
    assert longest_run(list(draw(model, DNA.alphabet, request))) > 2
    assert longest_run(list(draw(model, DNA.alphabet, never))) == 1
    # A window of three symbols that are all unlikely leaves the fourth: the four go round.
    around = dataclasses.replace(request, processor=RepetitionPenalty(50.0, 3), prime="ACGT")
    assert {s.symbols for s in draw(model, DNA.alphabet, around)} == {"ACGT" * 15}


def test_viability_is_that_of_trying_every_sequence():
    rules = [r for wish in build_constraints([
        {"kind": "motifs", "never": ["ab", "bc", "ca"]}, {"kind": "end", "one_of": ["ac", "cb"]},
    ]) for r in wish.automata(WORDS)]  # fmt: skip
    automaton = ProductAutomaton(rules, 4)
    for shortest, exact in ((0, True), (0, False), (4, False)):
        viable = ViableStates(automaton, shortest, 40, exact)
        for left in range(6):
            for state in range(len(automaton.moves)):
                expected = any(
                    finishes(automaton, state, letters)
                    for size in ([left] if exact else range(left + 1))
                    if exact or 40 - left + size >= shortest
                    for letters in itertools.product(range(4), repeat=size)
                )
                assert viable.rows[viable.row(np.array(left)), state] == expected


def finishes(automaton: ProductAutomaton, state: int, letters: tuple[int, ...]) -> bool:
    for letter in letters:
        if automaton.forbidden[state, letter]:
            return False
        state = automaton.moves[state, letter]
    return automaton.accepting[state]


STOPS = ("TAA", "TAG", "TGA")


def is_open_reading_frame(text: str) -> bool:
    codons = [text[at : at + 3] for at in range(0, len(text), 3)]
    return codons[0] == "ATG" and codons[-1] in STOPS and not {*codons[:-1]} & {*STOPS} and len(text) % 3 == 0


def test_an_open_reading_frame_goes_from_its_start_to_its_first_stop():
    wishes = ({"kind": "frame"}, {"kind": "end", "one_of": [*STOPS]})
    samples = drawn(DNA, *wishes, length=90, count=100, prime="ATG")
    assert len(samples) == 100 and all(is_open_reading_frame(sample.text) for sample in samples)
    with_window = (*wishes, {"kind": "window", "of": "GC", "length": 30, "low": 0.3, "high": 0.7})
    assert all(is_open_reading_frame(s.text) for s in drawn(DNA, *with_window, length=60, prime="ATG"))


def test_a_stop_out_of_the_frame_does_not_end_an_open_reading_frame():
    wishes = ({"kind": "frame"}, {"kind": "end", "one_of": [*STOPS]})
    with pytest.raises(ConfigError, match=r"nothing may follow in sample 0 .*End\(one_of=\['TAA'"):
        drawn(DNA, *wishes, length=91, prime="ATG")


def test_an_ending_that_is_no_word_of_the_frame_may_stand_anywhere():
    wishes = ({"kind": "frame"}, {"kind": "end", "one_of": ["GGATCC"]})
    for sample in drawn(DNA, *wishes, length=62):
        codons = [sample.text[at : at + 3] for at in range(0, 60, 3)]
        assert sample.text.endswith("GGATCC") and not {*codons} & {*STOPS}
