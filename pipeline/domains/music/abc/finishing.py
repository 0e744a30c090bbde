"""From a raw sample to a valid tune, or to the reason why it is rejected."""

from dataclasses import dataclass, replace

from pipeline.domains.music.abc.abc_notation import is_one_note, parse_length, split_length
from pipeline.domains.music.abc.repair import cut_after_last_bar, repair_tune
from pipeline.domains.music.abc.tune import Tune
from pipeline.domains.music.abc.tune_text import describe_problem
from pipeline.records import Rejection, Sample


@dataclass(frozen=True, slots=True)
class FinishedTune:
    """A valid tune, and the edits that made the sample valid."""

    tune: Tune
    edits: tuple[str, ...]


def finish_tune(sample: Sample, repair: bool) -> FinishedTune | Rejection:
    """The tune of a sample, with a last bar line; a rejection names the first problem.

    With `repair` a sample without an end is cut after its last bar, and a tune that is not valid is repaired
    where a few edits make it valid.
    """
    where = f"sample {sample.index + 1}"
    if not sample.ended and not repair:
        return Rejection(where, "reached sample.length")
    try:
        raw = Tune.from_text(sample.text)
    except ValueError as error:
        return Rejection(where, str(error), sample.text[:60])
    if "\n" in raw.body:
        return Rejection(where, "line break inside the body")
    tune, edits = _add_final_bar_line(raw) if sample.ended else cut_after_last_bar(raw)
    problems = tune.check()
    if problems:
        repaired = repair_tune(tune) if repair else None
        if repaired is None:
            return Rejection(where, problems[0].reason, describe_problem(tune, problems[0]))
        tune, edits = repaired[0], (*edits, *repaired[1])
    if length := _find_tied_length(tune):
        return Rejection(where, "length that takes a tie", length)
    return FinishedTune(tune, edits)


def _add_final_bar_line(tune: Tune) -> tuple[Tune, tuple[str, ...]]:
    bars = tune.parsed.bars
    if not bars or bars[-1].right:
        return tune, ()
    return replace(tune, body=tune.body + "|]"), ("final bar line added",)


def _find_tied_length(tune: Tune) -> str | None:
    """The first note or rest whose length no single note has; some programs refuse such a length."""
    for kind, text, _ in tune.tokens:
        if kind in ("note", "rest", "chord") and not is_one_note(parse_length(split_length(text)[1])):
            return text
    return None
