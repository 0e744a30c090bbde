import numpy as np
import pytest

from pipeline.models.context_mixing.context_index import (
    STRIDE,
    add_counts,
    build_index,
    extend_contexts,
    join_strands,
    reset_contexts,
)

DNA = np.array([0, 4, 3, 2, 1], np.uint8)


def make_pieces(letters: int, seed: int = 0) -> list[np.ndarray]:
    """Random pieces of all lengths, a third of each from another one, so that long contexts recur."""
    rng = np.random.default_rng(seed)
    pieces = [rng.integers(1, letters + 1, length).astype(np.uint8) for length in (1, 40, 150, 333)]
    pieces.append(np.concatenate([pieces[3][100:200], pieces[2][:50], pieces[3][120:220]]))
    return pieces


def after(text: np.ndarray, context: np.ndarray) -> np.ndarray:
    """The letters that follow a context in a text, found by looking at every place."""
    size = len(context)
    return np.array([text[p] for p in range(size, len(text)) if (text[p - size : p] == context).all()])


@pytest.mark.parametrize(("letters", "depth"), [(4, 24), (4, 3), (60, 13)])
@pytest.mark.parametrize("strands", [1, 2])
def test_intervals_and_counts_are_those_of_a_search(letters, depth, strands):
    complement = None if strands == 1 else np.concatenate([[0], np.arange(letters, 0, -1)]).astype(np.uint8)
    pieces = make_pieces(letters)
    text = join_strands(pieces, complement)
    index = build_index(text, letters, depth)
    intervals = np.zeros((depth + 1, 2), np.int64)
    reset_contexts(intervals, len(text))
    query = np.concatenate([pieces[3][90:130], pieces[2][:30], [1, 1, letters]])
    for read, letter in enumerate(query, start=1):
        extend_contexts(index.ranks, index.rank_bits, index.first, intervals, letter)
        for order in range(depth + 1):
            low, high = intervals[order]
            expected = after(text, query[read - order : read]) if order <= read else np.zeros(0)
            assert high - low == len(expected)
            counts = np.zeros(letters, np.int64)
            add_counts(index.following, index.ranks, index.rank_bits, low, high, 1, counts)
            assert counts.tolist() == [(expected == each).sum() for each in range(1, letters + 1)]
            assert (text[index.positions[low:high]] == index.following[low:high]).all()


@pytest.mark.parametrize("length", [0, 1, STRIDE - 3, STRIDE - 2, STRIDE - 1, 2 * STRIDE - 2])
def test_texts_that_fill_their_blocks(length):
    """A break before and one after make some of these a whole number of blocks."""
    text = join_strands([np.ones(length, np.uint8)], None)
    index, intervals = build_index(text, 1, 2), np.zeros((3, 2), np.int64)
    reset_contexts(intervals, len(text))
    extend_contexts(index.ranks, index.rank_bits, index.first, intervals, 1)
    assert (intervals[1, 1] - intervals[1, 0]) == length


def test_the_second_strand_mirrors_the_first():
    pieces = make_pieces(4)
    text = join_strands(pieces, DNA)
    middle = (len(text) - 1) // 2
    positions = np.arange(len(text))
    np.testing.assert_array_equal(text, DNA[text[2 * middle - positions]])
    assert text[0] == text[middle] == text[-1] == 0
    np.testing.assert_array_equal(text[3 : 3 + 40], pieces[1])
