"""Where the beats of a performance may be, so that it can be written down.

The beat goes evenly and meets many loud onsets. Source: D. Ellis, "Beat tracking by dynamic programming",
Journal of New Music Research 36 (2007) 51, with the onsets that MIDI knows in place of those heard.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.domains.music.piece import NoteEvent, Piece, Tempo

_FRAMES_PER_SECOND = 100
_USUAL_S = 0.5
"""People tap to music about so often."""
_OCTAVES_AWAY = 0.9
"""How far, as a standard deviation in octaves, the beat may lie from that."""
_FASTEST_S, _SLOWEST_S = 0.25, 1.8
_TIGHTNESS = 100.0
"""How much evenness counts beside onsets, as in the source."""
_BLUR_S = 0.02
"""Notes of a chord are struck so far apart, as a standard deviation."""
TICKS_PER_QUARTER = 480


def on_beats(piece: Piece) -> Piece:
    """The piece with its quarter notes where its beats are found; it sounds as before, to a tick."""
    if not piece.notes:
        return piece
    onsets = piece.seconds([note.onset for note in piece.notes])
    ends = piece.seconds([note.end for note in piece.notes])
    beats = find_beats(onsets, np.array([note.velocity for note in piece.notes], float))
    starts, stops = (np.rint(_quarters(times, beats) * TICKS_PER_QUARTER) for times in (onsets, ends))
    notes = sorted(
        NoteEvent(int(start), note.pitch, max(int(stop - start), 1), note.velocity, note.part)
        for note, start, stop in zip(piece.notes, starts, stops, strict=True)
    )
    tempos = tuple(
        Tempo(number * TICKS_PER_QUARTER, round(length * 1e6))
        for number, length in enumerate(np.diff(beats).tolist())
    )
    return replace(piece, notes=tuple(notes), ticks_per_quarter=TICKS_PER_QUARTER, tempos=tempos, pedals=())


def find_beats(onsets: Sequence[float] | np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Beats in seconds, ascending, from no later than the first onset to no earlier than the last; two at
    least."""
    frames = np.rint(np.asarray(onsets) * _FRAMES_PER_SECOND).astype(np.int64)
    first = int(frames.min())
    strength = _strength(frames - first, weights)
    period = _period(strength)
    found = _best_path(strength, period) + first
    spacing = period if len(found) < 2 else int(np.median(np.diff(found)))
    before = np.arange(found[0] - spacing, first - spacing, -spacing)[::-1]
    after = np.arange(found[-1] + spacing, frames.max() + 2 * spacing, spacing)
    return np.concatenate([before, found, after]) / _FRAMES_PER_SECOND


def _strength(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """How much is struck at each frame, ``(frames,)``, in standard deviations."""
    struck = np.bincount(frames, np.sqrt(weights), int(frames.max()) + _FRAMES_PER_SECOND)
    blur = _BLUR_S * _FRAMES_PER_SECOND
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / blur) ** 2)
    smooth = np.convolve(struck, kernel, "same")
    return smooth / max(smooth.std(), 1e-9)


def _period(strength: np.ndarray) -> int:
    """Frames from beat to beat: the lag at which onsets meet onsets, near to how often people tap."""
    lags = np.arange(round(_FASTEST_S * _FRAMES_PER_SECOND), round(_SLOWEST_S * _FRAMES_PER_SECOND) + 1)
    centred = strength - strength.mean()
    size = 2 * len(centred)
    likeness = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: len(centred)]
    likeness = np.concatenate([likeness, np.zeros(lags[-1])])[lags]
    octaves = np.log2(lags / (_USUAL_S * _FRAMES_PER_SECOND))
    return int(lags[np.argmax(likeness * np.exp(-0.5 * (octaves / _OCTAVES_AWAY) ** 2))])


def _best_path(strength: np.ndarray, period: int) -> np.ndarray:
    """Frames of the beats that together are strongest and most even."""
    steps = np.arange(-2 * period, -period // 2)
    costs = -_TIGHTNESS * np.log(-steps / period) ** 2
    score, back = strength.copy(), np.full(len(strength), -1)
    for frame in range(len(strength)):
        places = frame + steps
        reached = np.where(places >= 0, score[np.maximum(places, 0)] + costs, -np.inf)
        best = int(reached.argmax())
        if reached[best] > 0:
            score[frame] += reached[best]
            back[frame] = places[best]
    path = [int(len(score) - period + score[-period:].argmax())]
    while back[path[-1]] >= 0:
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])


def _quarters(times: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Times in beats from the first one; past the last one the beat goes on as before it."""
    numbers = np.arange(len(beats), dtype=float)
    beyond = np.maximum(times - beats[-1], 0) / (beats[-1] - beats[-2])
    return np.interp(times, beats, numbers) + beyond
