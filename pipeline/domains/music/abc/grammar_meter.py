"""What may follow in a tune so that bars fill up: a strand of the tune's grammar.

Stricter than `Tune.check`: a bar is short only as a pick-up, or where the pick-up before it makes it whole;
what ornaments a note stands straight before it. Repeats and endings are another strand's, so that this one
has fewer states.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import is_one_note, parse_length
from pipeline.domains.music.abc.filling import FINEST, PLAIN, Factor, Filling
from pipeline.domains.music.abc.lexicon import Kinds, Strand
from pipeline.domains.music.abc.music_tokens import is_length
from pipeline.domains.music.abc.notes import WHOLE
from pipeline.domains.music.abc.reader import broken_factors, tuplet_ratio

ENDS = frozenset({"|]", ":|"})
"""Bar lines after which a tune may end."""
SECTION_ENDS = frozenset({"|]", ":|", "::", "||", "|:"})
REPEATS = frozenset({":|", "::", ":|2"})
"""Bar lines that send the player back."""
BAR_LINES = SECTION_ENDS | {"|", "|1", ":|2"}
TUPLETS = frozenset({"(2", "(3", "(4", "(5", "(6"})
BROKEN = frozenset({">", "<", ">>", "<<"})
MARKS = frozenset("~TH.")
MAX_INSIDE = 4
"""Notes of a chord and grace notes before a note, at most."""
MAX_LENGTH = 16
"""Unit note lengths of a note."""
_STRING, _GRACE, _MARK, _MARKS = 1, 2, 3, 4
_NOTE = re.compile(r"(?:\^\^?|__?|=)?[A-Ga-g][,']*")
_ENDLESS = 64 * WHOLE


class Place(NamedTuple):
    """Where a tune stands; times are in ticks.

    `header` counts its lines read, 4 in the body. `room` is what the bar still holds, before the last note
    where that is `open` to a length. `length` is that of the last note, where a sign may change it; `factor`
    what its length is multiplied by. `pair` is the length, before a broken rhythm changes it, that the second
    note of the pair must have; 0 outside a pair. `upbeat` is the length of the last pick-up,
    `repeated_upbeat` that of one which the next repeat plays again, 0 for none. `before` says what waits for
    a note: a chord symbol, grace notes, marks.
    """

    header: int = 0
    full: int | None = None
    unit: int = 0
    compound: bool = False
    room: int = 0
    begun: bool = False
    open: bool = False
    touching: bool = False
    single: bool = False
    length: int = 0
    factor: Factor = PLAIN
    tuplet: Factor = PLAIN
    tuplet_left: int = 0
    broken: Factor = PLAIN
    pair: int = 0
    before: int = 0
    inside: str = ""
    inner: int = 0
    tied: bool = False
    at_bar: bool = False
    fresh: bool = True
    upbeat: int = 0
    repeated_upbeat: int = 0
    first_ending: bool = False
    final: bool = False
    any_note: bool = False

    def settled(self) -> "Place":
        """With the last note as long as it is where no length follows."""
        if not self.open:
            return self
        return self.lasting(self.unit * self.factor[0] // self.factor[1])

    def lasting(self, length: int) -> "Place":
        """With the last note so long."""
        return self._replace(open=False, length=length, room=self.left_by(length), factor=PLAIN, pair=0)

    def left_by(self, length: int) -> int:
        """The room that a note leaves."""
        return self.room if self.full is None else self.room - length

    @property
    def next_factor(self) -> Factor:
        """What the length of the next note is multiplied by."""
        return self.tuplet if self.tuplet_left else self.broken


class Bars(Strand):
    """The strand; `asked` are the values that header fields may have (see `TuneGrammar`), `lengths` those
    that can be written, "" among them, `kinds` those of all tokens that can be."""

    start = Place()

    def __init__(self, kinds: Kinds, lengths: Filling, asked: dict[str, frozenset[str]]) -> None:
        self.kinds, self.filling, self.asked = kinds, lengths, asked
        self._options = lru_cache(maxsize=2**16)(self._find_options)
        self.header = tuple(self._header_options(stage) for stage in range(4))

    def kind(self, token: str) -> str | None:
        return kind_of(token)

    def options(self, state: Place) -> Kinds:
        return self._options(state)

    def may_end(self, state: Place) -> bool:
        return state.final and state.any_note

    def _find_options(self, place: Place) -> Kinds:
        if place.header < 4:
            return self._header_line(place)
        if place.inside:
            close = {"[": "]", "{": "}"}[place.inside]
            least = 2 if place.inside == "[" else 1
            more = ["note"] if place.inner < MAX_INSIDE else []
            return frozenset([*more, close] if place.inner >= least else more)
        found: set[str] = set()
        if place.open:
            lengths = self._lengths(place, place.factor, place.tuplet_left)
            if "" not in lengths:
                return lengths
            found |= lengths - {""}
            place = place.settled()
        found |= self._starts_of_notes(place)
        if place.before:
            return frozenset(found)
        if place.touching and not place.tied:
            found |= {sign for sign in BROKEN & self.kinds if self._may_break(place, sign)}
            # A tie in the last bar of all would have to be taken back.
            found |= {"-"} & self.kinds if place.single else set()
        return frozenset(found | self._bar_lines(place))

    def _header_options(self, stage: int) -> Kinds:
        names = (("R", "M"), ("M",), ("L",), ("K",))[stage]
        if stage == 0 and "" not in self.asked.get("R", {""}):
            names = ("R",)
        lines = {kind for kind in self.kinds if kind[:1] in names and kind[1:2] == ":"}
        return frozenset(k for k in lines if k[0] not in self.asked or k[2:] in self.asked[k[0]])

    def _header_line(self, place: Place) -> Kinds:
        options = self.header[place.header]
        if place.header != 2 or place.full is None:
            return options
        return frozenset(k for k in options if self.filling.can_go_on(_unit(k), place.full, PLAIN, 0))

    def _lengths(self, place: Place, factor: Factor, left: int) -> Kinds:
        """The lengths with which a note leaves a way to fill the bar.

        The notes of a broken rhythm are written with equal lengths (ABC 2.1 §4.4).
        """
        room = None if place.full is None else place.room
        found = self.filling.fitting(place.unit, room, factor, place.tuplet if left else PLAIN, left)
        if not place.pair:
            return found
        return frozenset(text for text in found if self.filling.ticks(text, place.unit) == place.pair)

    def _takes_a_note(self, place: Place) -> bool:
        return bool(self._lengths(place, place.next_factor, max(place.tuplet_left - 1, 0)))

    def _starts_of_notes(self, place: Place) -> set[str]:
        if place.room <= 0 or not self._takes_a_note(place):
            return set()
        if place.tied:
            return {"note", "string"} if not place.before else {"note"}
        found = {"note", "["}
        if place.before <= _STRING:
            found |= {"rest", "{"}
            if not place.tuplet_left and place.broken == PLAIN:
                found |= {sign for sign in TUPLETS & self.kinds if self._takes_tuplet(place, sign)}
        if place.before <= _MARK:
            found.add("mark")
        if not place.before:
            found.add("string")
        return found & self.kinds

    def _takes_tuplet(self, place: Place, sign: str) -> bool:
        if place.full is None:
            return True
        return self.filling.can_go_on(place.unit, place.room, *_tuplet(sign, place.compound))

    def _may_break(self, place: Place, sign: str) -> bool:
        if place.tuplet_left or not place.begun or place.length * FINEST % place.unit:
            return False  # the last note of a triplet, too, is no half of a pair
        before, after = _broken(sign)
        length, rest = divmod(place.length * before[0], before[1])
        if rest or not is_one_note(Fraction(length, place.unit)):
            return False
        room = place.room if place.full is None else place.room + place.length - length
        return room > 0 and self._takes_a_note(place._replace(room=room, broken=after, pair=place.length))

    def _bar_lines(self, place: Place) -> Kinds:
        if place.tuplet_left or place.broken != PLAIN:
            return frozenset()
        if not place.begun:
            if place.at_bar and not place.tied:
                return frozenset(kind for kind in self.kinds if kind[:2] in ("[K", "[M"))
            return frozenset({"|:"} & self.kinds) if not place.at_bar and not place.any_note else frozenset()
        whole = place.room == 0 or place.full is None
        if place.tied:
            return frozenset({"|"} if whole else ())
        found = {"|"} if whole or place.fresh else set()
        if place.fresh and not whole:
            found.add("|:")
        if whole or (place.room == place.upbeat and not place.fresh):
            # Which of them, `strands.Parts` says; but a "|" that no line begins with would lead nowhere.
            found |= {":|2"} if place.first_ending else BAR_LINES - {"|"}
        if not place.fresh and place.repeated_upbeat not in (0, place.room):
            found -= REPEATS  # the bar would be too full with the upbeat that is played next
        return frozenset(found & self.kinds)

    def advance(self, state: Place, kind: str) -> Place:
        if state.header < 4:
            return _after_field(state, kind)
        if state.inside and kind == "note":
            return state._replace(inner=state.inner + 1)
        if kind[0] in "0123456789/":
            return state.lasting(self.filling.ticks(kind, state.unit, state.factor))
        return _after(state.settled(), kind)


def _after(place: Place, kind: str) -> Place:
    if kind in ("note", "rest", "]"):
        left = max(place.tuplet_left - 1, 0)
        return place._replace(
            begun=True, open=True, touching=True, single=kind == "note", length=0, factor=place.next_factor,
            tuplet_left=left, tuplet=place.tuplet if left else PLAIN, broken=PLAIN, before=0, inside="",
            inner=0, tied=False, final=False, any_note=place.any_note or kind != "rest",
        )  # fmt: skip
    if kind in BROKEN:
        before, after = _broken(kind)
        changed = place.length * before[0] // before[1]
        room = place.room if place.full is None else place.room + place.length - changed
        return place._replace(
            room=room, broken=after, pair=place.length, touching=False, single=False, length=0
        )
    if kind in BAR_LINES:
        return _after_bar_line(place, kind)
    place = place._replace(touching=False, single=False, length=0, final=False)
    if kind == "-":
        return place._replace(tied=True)
    if kind in ("[", "{"):
        return place._replace(inside=kind)
    if kind == "}":
        return place._replace(inside="", inner=0, before=_GRACE)
    if kind == "mark":
        return place._replace(before=_MARKS if place.before >= _MARK else _MARK)
    if kind == "string":
        return place._replace(before=_STRING)
    if kind in TUPLETS:
        factor, count = _tuplet(kind, place.compound)
        return place._replace(tuplet=factor, tuplet_left=count)
    return _in_meter(place, kind[3:-1]) if kind.startswith("[M:") else place


def _after_bar_line(place: Place, line: str) -> Place:
    if not place.begun:  # the repeat opens before the first note
        return place._replace(at_bar=True)
    short = place.full is not None and place.room > 0
    upbeat = place.full - place.room if short and place.fresh else place.upbeat
    return place._replace(
        room=_ENDLESS if place.full is None else place.full, begun=False, touching=False, single=False,
        length=0, at_bar=True, upbeat=upbeat, final=line in ENDS,
        repeated_upbeat=_repeated_upbeat(place, line),
        first_ending=line == "|1" or (line == "|" and place.first_ending),
        # A pick-up before the sign of a repeat is that of the part behind it.
        fresh=line in SECTION_ENDS and not (line == "|:" and short and place.fresh),
    )  # fmt: skip


def _repeated_upbeat(place: Place, line: str) -> int:
    """The upbeat of the section that goes on behind a bar line; that before a |: is not repeated."""
    if line in SECTION_ENDS:
        return 0
    if place.fresh and place.full is not None:
        return place.full - place.room if place.room > 0 else 0
    return place.repeated_upbeat


def _after_field(place: Place, kind: str) -> Place:
    name, value = kind[0], kind[2:]
    if name == "M":
        return _in_meter(place._replace(header=2), value)
    if name == "L":
        return place._replace(header=3, unit=_unit(kind))
    return place._replace(header=1 if name == "R" else 4)


def _in_meter(place: Place, meter: str) -> Place:
    length = fields.bar_length(meter)
    full = None if length is None else _whole(length * WHOLE)
    room = _ENDLESS if full is None else full
    compound = fields.is_compound(meter)
    return place._replace(full=full, room=room, compound=compound, upbeat=0, repeated_upbeat=0)


@lru_cache(maxsize=64)
def _tuplet(sign: str, compound: bool) -> tuple[Factor, int]:
    """By what a tuplet changes lengths, and how many notes it has."""
    (notes, time), reach = tuplet_ratio(sign, "6/8" if compound else "4/4")
    return (time, notes), reach


@lru_cache(maxsize=8)
def _broken(sign: str) -> tuple[Factor, Factor]:
    before, after = broken_factors(sign)
    return (before.numerator, before.denominator), (after.numerator, after.denominator)


def _unit(kind: str) -> int:
    return _whole(Fraction(kind[2:]) * WHOLE)


def _whole(value: Fraction | int) -> int:
    return value.numerator


@lru_cache(maxsize=4096)
def kind_of(token: str) -> str | None:
    """What a token is to the strand of bars; None for what is no token of our normal form.

    >>> [kind_of(token) for token in ("^c'", "z", "3/2", "|1", "(3", "~", '"Am7"', "M:6/8\\n", "[K:D]")]
    ['note', 'rest', '3/2', '|1', '(3', 'mark', 'string', 'M:6/8', '[K:D]']
    """
    if token in BAR_LINES | TUPLETS | BROKEN or token in ("-", "[", "]", "{", "}"):
        return token
    if token in MARKS:
        return "mark"
    if token == "z":
        return "rest"
    if token.endswith("\n") or token.startswith(("[K:", "[M:")):
        return token.removesuffix("\n")
    if is_length(token):
        return token if _is_plain(token) else None
    if token.startswith('"'):
        return "string"
    return "note" if _NOTE.fullmatch(token) else None


def _is_plain(length: str) -> bool:
    try:
        value = parse_length(length)
    except ValueError:
        return False
    return value <= MAX_LENGTH and value.denominator in (1, 2, 4, 8) and is_one_note(value)
