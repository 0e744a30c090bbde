"""Engraving in child processes, because a strange score may crash the native code of verovio and typst.

Read next: `engrave_child.py` and `tunebook_child.py`, which the child processes run.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import ToolError
from pipeline.runtime.subprocess_call import call_isolated

TIME_LIMIT_S = 60.0
"""Of one child process. A PDF gets one second more for each tune."""
_BATCH_SIZE = 8
"""Scores that one child process engraves."""

Score = dict[str, str]
"""Input of the engraver: the MusicXML `source` of a tune, and `title`, `left` and `right` of its header."""


def engrave_all(
    scores: Mapping[str, Score], target: str = "pipeline.domains.music.render.engrave_child:engrave"
) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Engrave scores in batches, one child process a batch.

    Where a batch crashes its process, each score of it is tried again in a process of its own.

    Parameters
    ----------
    scores : mapping of str to Score
        The input of the engraver by the id of the record.
    target : str
        The function that the child process calls, as ``module:function``.

    Yields
    ------
    tuple of str and dict or str
        The id, and the engraving; in place of the engraving a text that says why there is none.
    """
    all_names = list(scores)
    for start in range(0, len(all_names), _BATCH_SIZE):
        names = all_names[start : start + _BATCH_SIZE]
        arguments = {"scores": [scores[name] for name in names]}
        try:
            made = call_isolated(target, arguments, TIME_LIMIT_S)
            yield from ((name, each or "verovio refused it") for name, each in zip(names, made, strict=True))
        except ToolError as error:
            if len(names) == 1:
                yield names[0], str(error)
            else:
                for name in names:
                    yield from engrave_all({name: scores[name]}, target)


def print_book(title: str, subtitle: str, tunes: Sequence[Mapping[str, Any]]) -> bytes:
    """The PDF of engraved tunes, each with its `title` and `pages`. Raises ToolError where typst fails."""
    target = "pipeline.domains.music.render.engrave_child:print_book"
    arguments = {"title": title, "subtitle": subtitle, "tunes": list(tunes)}
    return base64.b64decode(call_isolated(target, arguments, TIME_LIMIT_S + len(tunes)))
