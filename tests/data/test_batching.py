from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data.alphabet import BOS
from pipeline.data.batching import EXCERPT_SYMBOLS, PADDING, ContiguousStreams, excerpt_segments
from pipeline.data.corpus import Corpus
from pipeline.training.lit_module import TrainingWindows

CODES = np.arange(3, 10_003, dtype=np.uint16)  # every code once, so that a code tells its place


def make_segments(lengths: list[int], gap: int = 2) -> np.ndarray:
    """Segments of these lengths with something between them that belongs to none."""
    starts = np.cumsum([0, *(length + gap for length in lengths[:-1])])
    return np.column_stack([starts, starts + lengths])


lengths = st.lists(st.integers(1, 300), min_size=1, max_size=25)
sizes = st.integers(1, 20)
settings.register_profile("busy", deadline=None)  # a busy machine is no failure
settings.load_profile("busy")


@given(lengths, sizes, sizes, st.integers(0, 5))
def test_every_code_is_a_target_once_an_epoch(lengths, batch, time, seed):
    segments = make_segments(lengths)
    streams = ContiguousStreams.for_training(CODES, segments, batch, time)
    seen = Counter()
    for window in streams.windows(streams.buckets(np.random.default_rng(seed))):
        seen.update(window.targets[window.targets != PADDING].tolist())
    assert seen == Counter(code for start, stop in segments for code in CODES[start:stop].tolist())


@given(lengths, sizes, sizes)
def test_inputs_are_the_targets_one_step_later(lengths, batch, time):
    """Along each row of a wave: the begin symbol, or what stands before the piece, then the target before."""
    segments = make_segments(lengths)
    streams = ContiguousStreams.for_training(CODES, segments, batch, time)
    before = None
    for window in streams.windows(streams.buckets(np.random.default_rng(0))):
        if window.fresh:
            starts = window.positions[:, 0]
            before = np.where(np.isin(starts, segments[:, 0]), BOS, CODES[starts - 1])
        expected = np.column_stack([before, window.targets[:, :-1]])
        real = window.targets != PADDING
        assert np.array_equal(window.inputs[real], expected[real])
        assert np.array_equal(CODES[window.positions[real]], window.targets[real])
        before = window.targets[:, -1]


@given(lengths, st.integers(0, 60))
def test_the_first_windows_can_be_left_out(lengths, skip):
    streams = ContiguousStreams.for_training(CODES, make_segments(lengths), 4, 7)
    buckets = streams.buckets(np.random.default_rng(3))
    whole, rest = list(streams.windows(buckets)), list(streams.windows(buckets, skip))
    assert streams.steps(buckets) == len(whole)
    assert len(rest) == max(0, len(whole) - skip)
    for expected, found in zip(whole[skip:], rest, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("step", [0, 1, 7, 23, 60])
def test_windows_from_any_step_are_those_of_an_unbroken_run(step):
    streams = ContiguousStreams.for_training(
        CODES, make_segments([90, 50, 300, 7]), 4, 7, np.arange(len(CODES) + 3)
    )
    unbroken, resumed = TrainingWindows(streams, 5, 80), TrainingWindows(streams, 5, 10)
    resumed.start_at(step)
    for expected, found in zip(list(unbroken)[step : step + 10], resumed, strict=True):
        fields = zip((*expected[:4], *expected.source), (*found[:4], *found.source), strict=True)
        assert all(np.array_equal(a, b) for a, b in fields)


def test_epochs_differ_and_depend_on_the_seed():
    streams = ContiguousStreams.for_training(CODES, make_segments([50] * 20), 4, 10)
    orders = [
        np.concatenate(TrainingWindows(streams, s, 1).buckets(e)).tolist()
        for s, e in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert orders[0] == orders[3]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_long_segments_are_cut_elsewhere_each_epoch():
    streams = ContiguousStreams.for_training(CODES, make_segments([5_000]), 8, 20)
    cuts = [
        {int(start) for bucket in TrainingWindows(streams, 0, 1).buckets(epoch) for start in bucket[:, 0]}
        for epoch in (0, 1)
    ]
    assert cuts[0] & cuts[1] <= {0}


def test_evaluation_never_cuts():
    segments = make_segments([300, 5, 80, 80])
    buckets = ContiguousStreams(CODES, segments, 2, 10).buckets(None)
    assert sorted(map(tuple, np.concatenate(buckets).tolist())) == sorted(map(tuple, segments.tolist()))


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=20), st.integers(EXCERPT_SYMBOLS, 300_000))
def test_excerpts_are_spread_evenly_over_the_segments(lengths, most):
    segments = make_segments(lengths)
    chosen, total = excerpt_segments(segments, most), sum(lengths)
    if total <= most:
        assert chosen is segments
        return
    assert np.all(chosen[:, 0] < chosen[:, 1])
    assert np.all(chosen[1:, 0] >= chosen[:-1, 1])
    assert np.all(chosen[:, 1] - chosen[:, 0] <= EXCERPT_SYMBOLS)
    assert all(((segments[:, 0] <= a) & (b <= segments[:, 1])).any() for a, b in chosen)


def test_about_as_much_is_read_as_asked_for():
    chosen = excerpt_segments(make_segments([100_000] * 70), 500_000)
    assert (chosen[:, 1] - chosen[:, 0]).sum() == pytest.approx(500_000, rel=0.05)
    assert chosen[-1, 1] > 6_800_000


def test_lanes_become_fewer_where_the_data_would_not_fill_them():
    assert ContiguousStreams.for_training(CODES, make_segments([40]), 128, 64).batch == 1
    assert ContiguousStreams.for_training(CODES, make_segments([5_120]), 128, 16).batch == 10


def test_padding_is_small_on_real_tunes(tunes_corpus: Corpus):
    streams = ContiguousStreams.for_training(
        tunes_corpus.codes, tunes_corpus.subset_segments("train"), 32, 64
    )
    windows = list(streams.windows(streams.buckets(np.random.default_rng(0))))
    padded = sum(int((window.targets == PADDING).sum()) for window in windows)
    assert padded / sum(window.targets.size for window in windows) < 0.15


@pytest.fixture(scope="module")
def tunes_corpus(tmp_path_factory) -> Corpus:
    """The second book of Aird's Airs, whatever adds up in it or not."""
    from pipeline.config.schema import SplitSettings
    from pipeline.data.sources import Source, locate
    from pipeline.domains.music.abc.domain import Abc
    from pipeline.stages.ingest import ingest

    folder, domain = tmp_path_factory.mktemp("tunes"), Abc()
    files = locate(None, [Source("package:music21/corpus/airdsAirs/book2.abc")], domain.accepts_file)
    ingest(files, domain, SplitSettings(), "error", folder)
    return Corpus.open(folder)


@given(lengths, sizes, sizes, st.integers(0, 5))
def test_a_row_read_backwards_is_that_of_the_reverse_complement(lengths, batch, time, seed):
    """Row for row equal to the forward row of a text whose strand was turned round by hand."""
    complement = np.concatenate([[0, 1, 2], np.arange(len(CODES) + 2, 2, -1)])
    segments, last = make_segments(lengths), len(CODES) - 1
    turned, turned_segments = complement[CODES[::-1]], len(CODES) - segments[:, ::-1]
    streams = ContiguousStreams.for_training(CODES, segments, batch, time, complement)
    mirror = ContiguousStreams(turned, turned_segments, streams.batch, time)
    seen = Counter()
    buckets = streams.buckets(np.random.default_rng(seed))
    for bucket in buckets:
        back = bucket[:, 0] > bucket[:, 1]
        mirrored = np.where(back[:, None], last - bucket, bucket)
        expected = [
            np.where(back[:, None], b, f)
            for f, b in zip(_inputs(streams, mirrored), _inputs(mirror, mirrored), strict=True)
        ]
        for window, inputs in zip(streams.windows([bucket]), expected, strict=True):
            real = window.targets != PADDING
            assert np.array_equal(window.inputs[real], inputs[real])
            assert np.array_equal(window.backwards, back)
            read = np.where(back[:, None], complement[CODES[window.positions]], CODES[window.positions])
            assert np.array_equal(window.targets[real], read[real])
            seen.update(window.positions[real].tolist())
    assert seen == Counter(p for start, stop in segments.tolist() for p in range(start, stop))


def _inputs(streams: ContiguousStreams, bucket: np.ndarray) -> list[np.ndarray]:
    return [window.inputs for window in streams.windows([np.clip(bucket, 0, len(CODES))])]


def test_half_of_the_pieces_are_read_backwards_and_none_where_nothing_is_shuffled():
    streams = ContiguousStreams.for_training(
        CODES, make_segments([20] * 400), 8, 20, np.arange(len(CODES) + 3)
    )
    pieces = [np.concatenate(streams.buckets(rng)) for rng in (np.random.default_rng(0), None)]
    shares = [(each[:, 0] > each[:, 1]).mean() for each in pieces]
    assert 0.4 < shares[0] < 0.6
    assert shares[1] == 0
