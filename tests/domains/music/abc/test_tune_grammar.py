"""Constrained decoding by the tune grammar: tunes that can be played, from any model."""

import dataclasses
import logging
import re
from collections import Counter

import pytest
import torch

from pipeline.config.sampling import SampleSettings
from pipeline.data.alphabet import EOS, Alphabet
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.token_kinds import classify_token
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_grammar import TuneGrammar
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.errors import ConfigError
from pipeline.generation.constrained.grammar_constraint import GrammarConstraint, build_grammar_constraint
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models.recurrent import Recurrent
from pipeline.records import Record, Rejection

REPRESENTATIONS = ("char", "token")


def known(tunes: list[Record], representation: str) -> tuple[Abc, Alphabet]:
    domain = Abc(representation=representation)
    return domain, Alphabet(sorted({s for record in tunes for s in domain._symbols(record.text)}))


def untrained(alphabet: Alphabet) -> torch.nn.Module:
    torch.manual_seed(2)
    model = Recurrent("lstm", 16, 1).build(len(alphabet)).eval()
    with torch.no_grad():
        model.readout.bias[EOS] = 6.0  # it ends wherever the grammar allows
    return model


def sampled(domain: Abc, alphabet: Alphabet, **changes) -> list:
    request = Request(20, 400, 3, grammar=build_grammar_constraint(domain, alphabet, wanted=True))
    return list(draw(untrained(alphabet), alphabet, dataclasses.replace(request, **changes)))


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_an_untrained_model_writes_valid_tunes(tunes, representation):
    domain, alphabet = known(tunes, representation)
    for length in (60, 400):
        finished = [domain.finish(sample) for sample in sampled(domain, alphabet, count=40, length=length)]
        reasons = Counter(each.reason for each in finished if isinstance(each, Rejection))
        assert reasons.keys() <= {"reached sample.length"}
        assert length == 60 or reasons.total() < 20
    without = sampled(domain, alphabet, grammar=None)
    assert not any(isinstance(domain.finish(sample), Record) for sample in without)


def test_a_tune_that_reaches_the_longest_length_is_resampled(tunes):
    domain, alphabet = known(tunes, "char")
    grammar = domain.grammar(alphabet.symbols)

    def masking(resamples: int) -> GrammarConstraint:
        return GrammarConstraint(grammar, alphabet, resamples, rejection_sampling=False)

    once, again = (
        sampled(domain, alphabet, count=40, length=160, grammar=masking(tries)) for tries in (0, 4)
    )
    cut = [sample.index for sample in once if not sample.ended]
    assert 0 < sum(not sample.ended for sample in again) < len(cut)
    for sample in again:
        if sample.index not in cut:
            assert sample == once[sample.index]
        elif not sample.ended:
            assert len(sample.symbols) == 160 and domain.finish(sample).reason == "reached sample.length"


def test_tunes_in_free_meter_are_valid_too(tunes):
    domain, alphabet = known(tunes, "char")
    alphabet = Alphabet(sorted({*alphabet.symbols, *"none"}))
    ended = [s for s in sampled(dataclasses.replace(domain, meter="none"), alphabet, length=200) if s.ended]
    assert ended
    for sample in ended:
        assert sample.text.startswith("M:none\n") and isinstance(domain.finish(sample), Record)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_neither_count_nor_threads_nor_compiled_code_change_a_tune(tunes, representation):
    domain, alphabet = known(tunes, representation)
    all_at_once = sampled(domain, alphabet, count=12, length=200)
    some = Request(12, 200, 3, grammar=build_grammar_constraint(domain, alphabet, wanted=True))
    again = list(draw(untrained(alphabet), alphabet, some, first=7, threads=2))
    assert [sample.symbols for sample in again] == [sample.symbols for sample in all_at_once[7:]]
    grammar = domain.grammar(alphabet.symbols)
    by_grammar = GrammarConstraint(grammar, alphabet, grammar.max_resamples, rejection_sampling=False)
    compiled = sampled(domain, alphabet, count=12, length=200, grammar=by_grammar)
    plain = sampled(domain, alphabet, count=12, length=200, typical_p=1.0)  # without compiled code
    assert [sample.symbols for sample in plain] == [sample.symbols for sample in compiled]


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_the_grammar_accepts_nine_of_ten_real_tunes(tunes, representation):
    domain, alphabet = known(tunes, representation)
    grammar, kept = TuneGrammar(alphabet.symbols, {}), 0
    for record in tunes:
        states = grammar.start
        for symbol in domain._symbols(record.text):
            number = alphabet.symbols.index(symbol)
            if not all(number in grammar.allowed(*each)[0] for each in enumerate(states)):
                break
            states = [grammar.step(part, state, number) for part, state in enumerate(states)]
        else:
            kept += all(grammar.allowed(*each)[1] for each in enumerate(states))
    assert kept > 0.9 * len(tunes)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_requested_attributes_are_met(tunes, representation):
    domain, alphabet = known(tunes, representation)
    asking = dataclasses.replace(domain, meter="C", key="G major", lowest="D", highest="b")
    for sample in sampled(asking, alphabet, length=800):
        tune = Tune.from_text(sample.text)
        assert (tune.meter, tune.key) == ("4/4", "G")
        pitches = [pitch for note in tune.parsed.notes for pitch in note.pitches]
        assert min(pitches) >= 62 and max(pitches) <= 83


def test_a_prime_is_continued(tunes):
    domain, alphabet = known(tunes, "char")
    start = domain.parse_prime("M:6/8 K:D |: A | d2 d- d")
    samples = sampled(domain, alphabet, prime=start)
    assert any(sample.ended for sample in samples)
    for sample in samples:
        assert sample.text.startswith("M:6/8\nL:1/8\nK:D\n|:A|d2d-d")
        assert isinstance(domain.finish(sample), Record) or not sample.ended


def test_a_prime_that_breaks_the_grammar_is_warned_of(tunes, caplog):
    domain, alphabet = known(tunes, "char")
    with caplog.at_level(logging.WARNING, "pipeline"):
        samples = sampled(domain, alphabet, prime=domain.parse_prime("M:2/4 L:1/8 K:D A8 A8 | A"))
    assert len(samples) == 20
    message = r"sample.prime: '8', symbol \d+ of the prime, breaks a rule of .* \(allowed there: '"
    assert re.search(message, caplog.text)


def test_requests_that_cannot_be_met_are_errors(tunes):
    with pytest.raises(ConfigError, match=r"domain.meter='6-8' is not a meter such as 6/8"):
        Abc(meter="6-8")
    with pytest.raises(ConfigError, match=r"domain.key='H' is not a key: A to G"):
        Abc(key="H")
    with pytest.raises(ConfigError, match=r"domain.dance='tango' is not one of air, barndance"):
        Abc(dance="tango")
    with pytest.raises(ConfigError, match=r"domain.lowest='do' is not a note in ABC"):
        Abc(lowest="do")
    with pytest.raises(ConfigError, match="leave less than an octave"):
        Abc(lowest="c", highest="b")
    domain, alphabet = known(tunes, "token")
    with pytest.raises(ConfigError, match=r"cannot write what is requested: for M: it knows M:12/8, M:2/2"):
        build_grammar_constraint(dataclasses.replace(domain, meter="7/16"), alphabet, wanted=True)
    with pytest.raises(ConfigError, match=r"kept by its grammar, which sample.valid=false"):
        build_grammar_constraint(dataclasses.replace(domain, meter="6/8"), alphabet, wanted=False)
    assert SampleSettings().valid


def test_symbols_that_spell_no_tune_have_no_grammar():
    assert Abc().grammar("abcdefg") is None


def test_the_grammar_accepts_every_kind_of_token():
    text = 'R:jig\nM:6/8\nL:1/8\nK:D\n|:"A7"(3A/B/c/~d{ef}e^f3-|fz[DF]2c>B|A3B2A|1G3F3:|2[K:G].g3D3|]'
    alphabet = Alphabet(sorted(set(text)))
    grammar = TuneGrammar(alphabet.symbols, {})
    states = grammar.start
    for place, character in enumerate(text):
        number = alphabet.symbols.index(character)
        for part, state in enumerate(states):
            assert number in grammar.allowed(part, state)[0], text[: place + 1]
        states = [grammar.step(part, state, number) for part, state in enumerate(states)]
    assert not parse_tune(text).check() and classify_token("x") is None


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_lengths_are_those_of_one_note_with_at_most_two_dots(tunes, representation):
    domain, alphabet = known(tunes, representation)
    more = domain._symbols("M:4/4\nL:1/8\nK:D\nA21/8B5C9>C/A2A3A6|")
    alphabet = Alphabet(sorted({*alphabet.symbols, *more}))
    grammar = TuneGrammar(alphabet.symbols, {})
    assert not {"5", "9", "21/8"} & grammar.spellings.keys() and {"3", "6"} <= grammar.spellings.keys()
    for start, broken in (("A3", False), ("A2", True)):
        states = after(grammar, alphabet, domain.parse_prime(f"M:4/4 L:1/8 K:D {start}"))
        assert (alphabet.symbols.index(">") in grammar.allowed(0, states[0])[0]) == broken


@pytest.mark.parametrize(("bars", "closes"), [("A|B8|B7", True), ("A|B8|B8", False), ("B8|B8|B8", True)])
def test_a_repeat_leaves_room_for_the_upbeat_that_it_plays_again(tunes, bars, closes):
    domain, alphabet = known(tunes, "token")
    prime = domain.parse_prime(f"M:4/4 L:1/8 K:D {bars}")
    alphabet = Alphabet(sorted({*alphabet.symbols, *prime}))
    grammar = TuneGrammar(alphabet.symbols, {})
    states = after(grammar, alphabet, prime)
    assert (alphabet.symbols.index(":|") in grammar.allowed(0, states[0])[0]) == closes


def after(grammar: TuneGrammar, alphabet: Alphabet, symbols) -> list:
    states = list(grammar.start)
    for symbol in symbols:
        number = alphabet.symbols.index(symbol)
        states = [grammar.step(part, state, number) for part, state in enumerate(states)]
    return states


@pytest.mark.parametrize(
    ("start", "may_follow", "may_not"),
    [
        ("A2>B", "2", "|/3"),
        ("A>B", "|c", "2/"),
        ("A2<{d}B", "2", "|"),
        ("A2>[DF]", "2", "c"),
        ("A2>B2", "|c", "/"),
    ],
)
def test_notes_of_a_broken_rhythm_are_written_with_equal_lengths(start, may_follow, may_not):
    symbols = sorted(set("M:4/4\nL:1/8\nK:D|[]{}<>:ABDFcd/23"))
    grammar, alphabet = TuneGrammar(symbols, {}), Alphabet(symbols)
    states = after(grammar, alphabet, "M:4/4\nL:1/8\nK:D\n" + start)
    masks = [grammar.allowed(part, state)[0] for part, state in enumerate(states)]
    allowed = {symbols[number] for number in frozenset.intersection(*masks)}
    assert allowed >= set(may_follow) and allowed.isdisjoint(may_not)
