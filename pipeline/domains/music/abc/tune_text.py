"""Between a tune and its texts: the learned sequence, and a tune of an ABC file.

The learned sequence is `Tune.text`; `parse_tune` is its inverse. `format_tune` writes a tune for people.
"""

from collections.abc import Mapping
from functools import lru_cache

from pipeline.domains.music.abc import fields
from pipeline.domains.music.abc.layout import lay_out
from pipeline.domains.music.abc.notes import Problem
from pipeline.domains.music.abc.tune import Tune
from pipeline.records import Record

_PROVENANCE = ("model", "temperature", "seed", "index", "log_probability", "bits_per_symbol")
"""Metadata that says how a sample was made."""


@lru_cache(maxsize=256)
def parse_tune(text: str) -> Tune:
    """The tune of a learned sequence; the last 256 are cached with their notes.

    Raises ValueError where the header is not `Tune.header`.
    """
    return Tune.from_text(text)


def describe_problem(tune: Tune, problem: Problem) -> str:
    """A problem with its detail and the music around it."""
    around = tune.body[max(problem.start - 10, 0) : problem.start + 20].replace("\n", " ")
    return f"{problem.detail + ', ' if problem.detail else ''}near {around!r}"


def format_tune(record: Record, number: int) -> str:
    """One tune with a full header and an empty line after it, for a file of tunes.

    Raises ValueError where the record's header is not `Tune.header`.
    """
    tune = parse_tune(record.text)
    title = record.metadata.get("title", record.id)
    tempo = f"Q:{fields.beat_length(tune.meter)}={fields.beats_per_minute(tune.meter, tune.rhythm)}"
    rhythm = f"R:{tune.rhythm}\n" if tune.rhythm else ""
    header = f"{rhythm}M:{tune.meter}\nL:{tune.unit}\n{tempo}\nK:{tune.key}\n"
    return f"X:{number}\nT:{title}\n{_comments(record.metadata)}{header}{lay_out(tune)}\n\n"


def _comments(metadata: Mapping[str, str]) -> str:
    """Comment lines with the provenance, the checks and the nearest training tune of a sample."""
    facts = [f"{name.replace('_', ' ')} {metadata[name]}" for name in _PROVENANCE if name in metadata]
    lines = [f"synthetic: {', '.join(facts)}" if facts else "synthetic"]
    lines += [f"checks: {metadata['checks']}"] if "checks" in metadata else []
    if "nearest" in metadata:
        lines.append(
            f"nearest training tune: {metadata['nearest']}, "
            f"at a distance of {metadata['nearest_distance']} of 1"
        )
    lines += [f"{name}: {metadata[name]}" for name in ("repaired", "copied") if name in metadata]
    return "".join(f"% {line}\n" for line in lines)
