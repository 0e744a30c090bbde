"""Repair of sampled tunes that are not valid, by few edits that are all listed.

The first problem of `Tune.check` suggests edits of one token each. The edit that leaves the fewest problems
is kept. This goes on until the tune is valid or no edit helps.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.abc_notation import (
    Token,
    format_length,
    is_one_note,
    parse_length,
    split_length,
)
from pipeline.domains.music.abc.notes import WHOLE, Note, Problem
from pipeline.domains.music.abc.tune import Tune, repeated_upbeats

MAX_EDITS = 12
_MAX_TRIED = 4
"""Tokens that may be taken out for one problem, the nearest ones."""
_BY_DROPPING = {
    "tie to another pitch": "tie", "tie without a second note": "tie", "tie without a note": "tie",
    "tuplet not complete": "tuplet", "tuplet inside a tuplet": "tuplet",
    "second ending missing": "ending", "endings out of order": "ending", "empty ending": "ending",
    "first ending without a repeat": "ending", "ending inside a bar": "ending",
}  # fmt: skip
"""The kind of token that may be taken out, by the reason of the problem."""
_DROP_LAST = frozenset({
    "unknown symbol", "unclosed quote", "unclosed chord", "unclosed grace notes", "chord without notes",
    "grace notes hold something else", "broken rhythm without two notes", "length of zero",
    "unknown key, meter or unit inside", "rest of several bars", "pitch out of range",
})  # fmt: skip
"""Reasons for which the token at the problem is taken out, of any kind."""
_METERS = ("4/4", "2/4", "3/4", "6/8", "9/8", "12/8", "3/8", "2/2", "3/2", "6/4", "4/2")
_PLAIN_LINES = {"|:": "|", "::": ":|"}


class Edit(NamedTuple):
    """A replacement of the text from `start` to `end` (half-open) in a body."""

    start: int
    end: int
    text: str
    about: str
    """The edit in words."""

    def apply(self, tune: Tune) -> Tune:
        """The tune with this edit made."""
        return replace(tune, body=tune.body[: self.start] + self.text + tune.body[self.end :])


def repair_tune(tune: Tune) -> tuple[Tune, tuple[str, ...]] | None:
    """A valid tune and the edits that made it so; None where no edits do.

    >>> repaired, edits = repair_tune(Tune("2/4", "1/8", "G", "|:G2AB|cBAGG|A4-:|"))
    >>> repaired.body, edits
    ('|:G2AB|cBAG|A4:|', ('bar 3: - taken out', 'bar 2: the last note taken out'))
    """
    tune, edits = _correct_meter(tune)
    problems = tune.check()
    while problems and len(edits) < MAX_EDITS:
        tried = [(edit.apply(tune), edit) for edit in _suggest_edits(tune, problems[0])]
        ranked = [(len(edited.check()), order) for order, (edited, _) in enumerate(tried)]
        if not ranked or min(ranked)[0] >= len(problems) + 1:
            return None
        edited, edit = tried[min(ranked)[1]]
        edits.append(f"bar {_bar_number(tune, edit.start)}: {edit.about}")
        tune, problems = edited, edited.check()
    return None if problems else (tune, tuple(edits))


def _correct_meter(tune: Tune) -> tuple[Tune, list[str]]:
    """The tune in the meter of most of its bars, and the change."""
    lengths = Counter(Fraction(bar.duration) / WHOLE for bar in tune.parsed.bars)
    if not lengths:
        return tune, []
    length, bars = lengths.most_common(1)[0]
    meter = next((meter for meter in _METERS if fields.bar_length(meter) == length), tune.meter)
    changed = replace(tune, meter=meter)
    if 2 * bars <= lengths.total() or fields.bar_length(tune.meter) in (None, length):
        return tune, []
    if meter == tune.meter or len(changed.check()) >= len(tune.check()):
        return tune, []
    return changed, [f"M:{tune.meter} made M:{meter}"]


def cut_after_last_bar(tune: Tune) -> tuple[Tune, tuple[str, ...]]:
    """The tune up to its last bar line, and the edit."""
    ends = [token.start + len(token.text) for token in tune.tokens if token.kind == "bar"]
    if not ends:
        return tune, ()
    return replace(tune, body=tune.body[: ends[-1]]), ("cut after its last whole bar",)


def _bar_number(tune: Tune, place: int) -> int:
    return 1 + sum(bar.end <= place for bar in tune.parsed.bars)


def _suggest_edits(tune: Tune, problem: Problem) -> Iterator[Edit]:
    kind = _BY_DROPPING.get(problem.reason)
    reach = _find_reach(tune, problem)
    before = [token for token in tune.tokens if token.start <= reach]
    if kind is not None:
        yield from [_drop_token(token) for token in before[::-1] if token.kind == kind][:_MAX_TRIED]
    elif problem.reason in _DROP_LAST and before:
        yield _drop_token(before[-1])
    if problem.reason in ("bar too long", "bar too long with its upbeat", "bar too short"):
        yield from _fit_bar(tune, problem)
    elif problem.reason == "no final bar line":
        yield Edit(len(tune.body), len(tune.body), "|]", "final bar line added")
    elif "repeat" in problem.reason or "ending" in problem.reason:
        yield from _change_bar_lines([token for token in tune.tokens if token.kind == "bar"], reach)


def _find_reach(tune: Tune, problem: Problem) -> int:
    """The last offset where the cause of a problem may stand: the end of the bar for repeats and endings."""
    ends = [bar.end for bar in tune.parsed.bars if bar.start == problem.start]
    return ends[0] if ends and ("repeat" in problem.reason or "ending" in problem.reason) else problem.start


def _drop_token(token: Token) -> Edit:
    return Edit(token.start, token.start + len(token.text), "", f"{token.text} taken out")


def _change_bar_lines(lines: list[Token], reach: int) -> Iterator[Edit]:
    """The last bar line becomes the end of a repeat, or a start of a repeat becomes a plain bar line."""
    for token in [*lines[-1:], *(line for line in lines[:-1] if line.start <= reach + 2)]:
        others = (_PLAIN_LINES.get(token.text),) if ":" in token.text else (":|", "::")
        for text in filter(None, others):
            end = token.start + len(token.text)
            yield Edit(token.start, end, text, f"{token.text} made {text}")


def _fit_bar(tune: Tune, problem: Problem) -> Iterator[Edit]:
    """A note of the bar becomes longer or shorter, the last one is taken out, or a rest is added."""
    number = next((n for n, bar in enumerate(tune.parsed.bars) if bar.start == problem.start), None)
    if number is None:
        return
    bar = tune.parsed.bars[number]
    if bar.full is None:
        return
    notes = [note for note in tune.parsed.notes if note.bar == number]
    wanted = bar.full - bar.duration
    if problem.reason == "bar too long with its upbeat":
        wanted -= repeated_upbeats(tune.parsed.bars)[number]
    for note in notes[::-1]:
        yield from _change_length(tune, note, Fraction(note.duration + wanted))
    if wanted > 0:
        length = Fraction(wanted) / WHOLE / Fraction(tune.unit)
        yield Edit(bar.end, bar.end, "z" + format_length(length), f"a rest of {length} added")
    elif len(notes) > 1:
        token = _find_token(tune, notes[-1])
        yield Edit(token.start, token.start + len(token.text), "", "the last note taken out")


def _change_length(tune: Tune, note: Note, duration: Fraction) -> Iterator[Edit]:
    token = _find_token(tune, note)
    head, text = split_length(token.text)
    if duration <= 0 or not note.duration:
        return
    length = parse_length(text) * duration / note.duration
    if length.denominator in (1, 2, 4, 8) and is_one_note(length):
        end = token.start + len(token.text)
        made = head + format_length(length)
        yield Edit(token.start, end, made, f"{token.text} made {made}")


def _find_token(tune: Tune, note: Note) -> Token:
    return next(token for token in tune.tokens if token.start == note.start)
