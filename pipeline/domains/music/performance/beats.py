"""Tracks the beats of a performance, so that it can be notated.

Beats are evenly spaced and coincide with many loud onsets. Source: D. Ellis, "Beat tracking by dynamic
programming", Journal of New Music Research 36 (2007) 51, with onsets from MIDI instead of audio.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.domains.music.piece import NoteEvent, Piece, Tempo

_FRAMES_PER_SECOND = 100
_USUAL_PERIOD_S = 0.5
"""The period at which people tap to music."""
_PERIOD_OCTAVES = 0.9
"""Standard deviation, in octaves, of the period of the beat from the usual one."""
_MIN_PERIOD_S, _MAX_PERIOD_S = 0.25, 1.8
_TIGHTNESS = 100.0
"""Weight of evenness against onsets, as in the source."""
_BLUR_S = 0.02
"""Standard deviation of the onsets of a chord."""
TICKS_PER_QUARTER = 480


def on_beats(piece: Piece) -> Piece:
    """The piece with a quarter note for each of its beats, and the same sound to within a tick."""
    if not piece.notes:
        return piece
    onsets = piece.seconds([note.onset for note in piece.notes])
    ends = piece.seconds([note.end for note in piece.notes])
    beats = find_beats(onsets, np.array([note.velocity for note in piece.notes], float))
    starts, stops = (np.rint(_count_beats(times, beats) * TICKS_PER_QUARTER) for times in (onsets, ends))
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
    """Track the beats of a performance.

    Parameters
    ----------
    onsets
        Onsets of the notes in seconds, ``(notes,)``.
    weights
        Weights of the notes, such as velocities, ``(notes,)``.

    Returns
    -------
    numpy.ndarray
        Two beats or more in seconds, ascending. The first is not later than the first onset, and the last
        not earlier than the last onset.
    """
    frames = np.rint(np.asarray(onsets) * _FRAMES_PER_SECOND).astype(np.int64)
    first = int(frames.min())
    strength = _measure_strength(frames - first, weights)
    period = _find_period(strength)
    found = _find_best_path(strength, period) + first
    spacing = period if len(found) < 2 else int(np.median(np.diff(found)))
    before = np.arange(found[0] - spacing, first - spacing, -spacing)[::-1]
    after = np.arange(found[-1] + spacing, frames.max() + 2 * spacing, spacing)
    return np.concatenate([before, found, after]) / _FRAMES_PER_SECOND


def _measure_strength(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The onset strength of each frame, ``(frames,)``, in standard deviations."""
    struck = np.bincount(frames, np.sqrt(weights), int(frames.max()) + _FRAMES_PER_SECOND)
    blur = _BLUR_S * _FRAMES_PER_SECOND
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / blur) ** 2)
    smooth = np.convolve(struck, kernel, "same")
    return smooth / max(smooth.std(), 1e-9)


def _find_period(strength: np.ndarray) -> int:
    """Frames from beat to beat: the lag of the highest autocorrelation, weighted towards the usual period."""
    periods = _MIN_PERIOD_S * _FRAMES_PER_SECOND, _MAX_PERIOD_S * _FRAMES_PER_SECOND
    lags = np.arange(round(periods[0]), round(periods[1]) + 1)
    centred = strength - strength.mean()
    size = 2 * len(centred)
    autocorrelation = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[: len(centred)]
    autocorrelation = np.concatenate([autocorrelation, np.zeros(lags[-1])])[lags]
    octaves = np.log2(lags / (_USUAL_PERIOD_S * _FRAMES_PER_SECOND))
    return int(lags[np.argmax(autocorrelation * np.exp(-0.5 * (octaves / _PERIOD_OCTAVES) ** 2))])


def _find_best_path(strength: np.ndarray, period: int) -> np.ndarray:
    """Frames of the beats with the highest sum of strength and evenness."""
    steps = np.arange(-2 * period, -period // 2)
    costs = -_TIGHTNESS * np.log(-steps / period) ** 2
    score, back = strength.copy(), np.full(len(strength), -1)
    for frame in range(len(strength)):
        earlier = frame + steps
        scores = np.where(earlier >= 0, score[np.maximum(earlier, 0)] + costs, -np.inf)
        best = int(scores.argmax())
        if scores[best] > 0:
            score[frame] += scores[best]
            back[frame] = earlier[best]
    path = [int(len(score) - period + score[-period:].argmax())]
    while back[path[-1]] >= 0:
        path.append(int(back[path[-1]]))
    return np.array(path[::-1])


def _count_beats(times: np.ndarray, beats: np.ndarray) -> np.ndarray:
    """Times in beats from the first beat. After the last beat, beats continue as before it."""
    numbers = np.arange(len(beats), dtype=float)
    beyond = np.maximum(times - beats[-1], 0) / (beats[-1] - beats[-2])
    return np.interp(times, beats, numbers) + beyond
