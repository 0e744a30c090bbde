"""Events that follow the grammar can be played; others are not drawn."""

import itertools
import random

import pytest
from tiny import some_performance

from pipeline.data.alphabet import SPECIALS, Alphabet
from pipeline.domains.music.midi_files import read_midi
from pipeline.domains.music.performance.event_grammar import EventGrammar
from pipeline.domains.music.performance.event_tokens import TOKENIZATIONS, EventTokens
from pipeline.generation.constrained.grammar_constraint import GrammarConstraint


class Reader:
    """Reads events one by one, as sampling does."""

    def __init__(self, events: EventTokens) -> None:
        self.symbols = events.vocabulary
        self.grammar = EventGrammar(events, self.symbols, max_shifts=30)
        self.states = list(self.grammar.start)

    def allowed(self) -> list[int]:
        letters = [self.grammar.allowed(component, state)[0] for component, state in enumerate(self.states)]
        return sorted(frozenset.intersection(*letters))

    def take(self, letter: int) -> None:
        steps = enumerate(self.states)
        self.states = [self.grammar.step(component, state, letter) for component, state in steps]


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    path = tmp_path_factory.mktemp("midi") / "made.mid"
    path.write_bytes(some_performance(60))
    return read_midi(path)


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
def test_real_music_follows_the_grammar(tokenization, piece):
    events = EventTokens(tokenization)
    reader = Reader(events)
    for name in events.encode(piece):
        letter = reader.symbols.index(name)
        assert letter in reader.allowed(), name
        reader.take(letter)


@pytest.mark.parametrize("tokenization", TOKENIZATIONS)
def test_whatever_is_drawn_by_it_can_be_played(tokenization):
    events, rng = EventTokens(tokenization), random.Random(5)
    reader, drawn = Reader(events), []
    for _ in range(300):
        letter = rng.choice(reader.allowed())
        reader.take(letter)
        drawn.append(reader.symbols[letter])
    piece = events.decode(drawn)
    struck = events.count_notes(drawn)
    assert piece.notes and len(piece.notes) <= struck
    order = itertools.pairwise(drawn)
    assert all(b.startswith("Velocity") for a, b in order if a.startswith(("NoteOn", "Pitch")))


def test_a_silent_key_is_not_let_go_nor_a_sounding_one_struck():
    reader = Reader(EventTokens())

    def may(*names: str) -> list[bool]:
        return [reader.symbols.index(name) in reader.allowed() for name in names]

    def take(*names: str) -> None:
        for name in names:
            reader.take(reader.symbols.index(name))

    assert may("NoteOn_60", "NoteOff_60", "Velocity_63", "TimeShift_0.1.100") == [True, False, False, True]
    take("NoteOn_60", "Velocity_63")
    assert may("NoteOn_60", "NoteOff_60", "NoteOn_61") == [False, False, True]
    take("TimeShift_0.1.100")
    assert may("NoteOn_60", "NoteOff_60", "NoteOff_61") == [False, True, False]
    take("NoteOff_60")
    assert may("NoteOn_60", "NoteOff_60") == [True, False]


def test_a_key_is_let_go_in_time():
    reader = Reader(EventTokens())
    wait = reader.symbols.index("TimeShift_0.10.100")
    reader.take(reader.symbols.index("NoteOn_60"))
    reader.take(reader.symbols.index("Velocity_63"))
    for _ in range(30):
        assert wait in reader.allowed()
        reader.take(wait)
    assert [reader.symbols[letter] for letter in reader.allowed()] == ["NoteOff_60"]
    reader.take(reader.symbols.index("NoteOff_60"))
    assert wait in reader.allowed()


def test_a_stretch_from_the_middle_of_a_piece_is_gone_on_with():
    """It lets keys go that it has not struck, and keeps others for longer than a sample may."""
    events = EventTokens()
    alphabet = Alphabet(events.vocabulary)
    grammar = GrammarConstraint(EventGrammar(events, alphabet.symbols, max_shifts=30), alphabet)
    waits = ("TimeShift_0.10.100",) * 40
    prime = ("NoteOff_72", "NoteOn_60", "Velocity_63", *waits)
    states = grammar.read_prime(alphabet.encode(prime).astype(int) - len(SPECIALS), "prime")
    allowed = [code for code in grammar.allowed_codes(states).nonzero()[0] if code >= len(SPECIALS)]
    assert alphabet.decode(allowed) == ("NoteOff_60",)


def test_places_in_a_bar_go_forwards_and_stay_in_it():
    reader = Reader(EventTokens("REMI"))
    for name in ("Bar_None", "TimeSig_3/4", "Position_12", "Pitch_60", "Velocity_63", "Duration_1.0.12"):
        reader.take(reader.symbols.index(name))
    names = {reader.symbols[letter] for letter in reader.allowed()}
    places = sorted(int(name[9:]) for name in names if name.startswith("Position_"))
    assert places == list(range(13, 36))
    assert "Bar_None" in names and "Pitch_60" in names
