"""Plots of the scoreboard of tunes: how far every group is from real ones, and the profiles themselves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from pipeline.domain import Exhibit
from pipeline.music.note_measures import DEGREES, INTERVALS, LAGS, LENGTHS, LIKENESS, WIDEST
from pipeline.music.note_table import STEPS
from pipeline.plots import colour, new_figure, save_svg
from pipeline.scoreboard import NOISE_ERRORS, REAL, Row

_DEGREE_NAMES = ("1", "b2", "2", "b3", "3", "4", "#4", "5", "b6", "6", "b7", "7")
_BARS_SHOWN = 10
"""Note lengths, the commonest ones."""
FARTHEST = 60.0
"""Standard errors; what is further away is drawn there."""


def draw_all(rows: Sequence[Row], out_dir: Path) -> list[Exhibit]:
    """The scoreboard, and the profiles that there are."""
    by_name = {row.measure.name: row for row in rows}
    board = draw_scoreboard(rows, out_dir / "scoreboard.svg")
    drawn = [
        draw(by_name[name], out_dir / f"{name.replace(' ', '_')}.svg")
        for name, draw in _PROFILES.items()
        if name in by_name
    ]
    caption = (
        "Each point is a group; in the grey band it cannot be told from real ones. The samples should lie "
        "there, shuffled ones outside."
    )
    return [
        Exhibit("How far from real, in standard errors", (board,), caption),
        *((Exhibit("Notes beside those of real tunes", tuple(drawn)),) if drawn else ()),
    ]


def draw_scoreboard(rows: Sequence[Row], path: Path) -> Path:
    """A line for each measure, a point for each group."""
    figure = new_figure(6.4, 0.9 + 0.24 * len(rows))
    axes = figure.subplots()
    axes.axvspan(-1, NOISE_ERRORS, color="#e5e7eb", zorder=0, lw=0)
    names = [name for name in rows[0].groups if name != REAL]
    for name in names[::-1]:
        away = [np.clip(row.errors_away(name), 0, FARTHEST) for row in rows if name in row.groups]
        places = [number for number, row in enumerate(rows) if name in row.groups]
        size = 46 if name == names[0] else 22
        axes.scatter(away, places, s=size, color=colour(name), label=name, zorder=3, alpha=0.9, lw=0)
    axes.set_yticks(range(len(rows)), [row.measure.name for row in rows])
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=NOISE_ERRORS)
    axes.set_xticks([0, 1, 2, 3, 6, 12, 25, 50], ["0", "1", "2", "3", "6", "12", "25", "50"])
    axes.set_xlim(-0.2, FARTHEST * 1.1)
    axes.set_xlabel("standard errors from real")
    handles, labels = (each[::-1] for each in axes.get_legend_handles_labels())
    figure.legend(handles, labels, loc="outside upper left", ncols=len(names))
    return save_svg(figure, path)


def _bars(axes: Axes, row: Row, chosen: Sequence[int], labels: Sequence[str]) -> None:
    width = 0.8 / len(row.groups)
    for number, (name, estimate) in enumerate(row.groups.items()):
        places = np.arange(len(chosen)) + (number - (len(row.groups) - 1) / 2) * width
        axes.bar(places, estimate.value[list(chosen)], width, color=colour(name), label=name)
    axes.set_xticks(range(len(chosen)), labels)
    axes.set_ylabel("share of notes")
    axes.legend()


def _draw_degrees(row: Row, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    _bars(axes, row, range(12), _DEGREE_NAMES)
    axes.set_xlabel("degree of the scale")
    return save_svg(figure, path)


def _draw_intervals(row: Row, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    steps = range(-WIDEST, WIDEST + 1)
    _bars(axes, row, range(len(steps)), [f"{step:+d}" if step % 3 == 0 else "" for step in steps])
    axes.set_xlabel("semitones to the next note")
    return save_svg(figure, path)


def _draw_lengths(row: Row, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    total = sum(estimate.value for estimate in row.groups.values())
    common = sorted(int(number) for number in np.argsort(-total)[:_BARS_SHOWN])
    _bars(axes, row, common, [_fraction(number) for number in common])
    axes.set_xlabel("of a quarter note")
    return save_svg(figure, path)


def _fraction(steps: int) -> str:
    divisor = int(np.gcd(steps, STEPS)) or 1
    return str(steps // divisor) if divisor == STEPS else f"{steps // divisor}/{STEPS // divisor}"


def _draw_likeness(row: Row, path: Path) -> Path:
    figure = new_figure()
    axes = figure.subplots()
    for name, estimate in row.groups.items():
        style = {"color": colour(name), "lw": 1.6, "marker": "o", "ms": 3}
        axes.plot(range(1, LAGS + 1), 100 * estimate.value, label=name, **style)
    axes.set_xticks(range(1, LAGS + 1))
    axes.set_xlabel("bars apart, as written")
    axes.set_ylabel("time with the same pitch, %")
    axes.legend()
    return save_svg(figure, path)


_PROFILES: Mapping = {
    DEGREES: _draw_degrees, INTERVALS: _draw_intervals, LENGTHS: _draw_lengths, LIKENESS: _draw_likeness,
}  # fmt: skip
