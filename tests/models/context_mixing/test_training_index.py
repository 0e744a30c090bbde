import numpy as np
import pytest

from pipeline.models.context_mixing.evidence_layout import EvidenceLayout
from pipeline.models.context_mixing.training_index import (
    TrainingIndex,
    encode_letters,
    leave_one_out_evidence,
)

DNA = np.array([0, 4, 3, 2, 1], np.uint8)
LAYOUT = EvidenceLayout(4, (1, 2, 3, 8, 11, 16), (12, 12))
COUNTED = len(LAYOUT.orders) * LAYOUT.width


def random_letters(size: int, letters: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, letters + 1, size).astype(np.uint8)


def mutated(letters: np.ndarray, share: float, seed: int = 7) -> np.ndarray:
    """Some letters replaced by others."""
    rng = np.random.default_rng(seed)
    changed = rng.random(len(letters)) < share
    shift = rng.integers(1, 4, len(letters))
    return np.where(changed, (letters - 1 + shift) % 4 + 1, letters).astype(np.uint8)


def after_break(letters: np.ndarray) -> np.ndarray:
    """As a sequence is read: a break, then all letters but the last, each before the one to be foretold."""
    return np.concatenate([[0], letters[:-1]]).astype(np.uint8)[None]


def votes(index: TrainingIndex, letters: np.ndarray, channel: int, **how) -> np.ndarray:
    """The strengths ``(time, letters)`` of one of the two channels of copies."""
    layout = index.layout
    values = index.read(index.new_state(1), after_break(letters), **how)[1][0]
    first = (len(layout.orders) + channel) * layout.width
    return values[:, first : first + layout.width]


def right(found: np.ndarray, letters: np.ndarray) -> float:
    """How often the strongest vote is for the letter that comes."""
    return float(((found.argmax(1) + 1 == letters) & (found.max(1) > 0)).mean())


@pytest.mark.parametrize("way", [1, -1])
def test_a_copy_with_substitutions_is_followed_to_its_end(way):
    text = random_letters(4_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    copy = mutated(text[1_000:1_400], 0.1)
    copy = copy if way == 1 else DNA[copy[::-1]]
    found = votes(index, copy, channel=0)
    assert right(found[60:], copy[60:]) > 0.8
    assert not found[:12].any()


def test_without_reverse_complements_none_is_found():
    text = random_letters(4_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], None)
    assert not votes(index, DNA[text[1_000:1_400][::-1]], channel=0).any()


@pytest.mark.parametrize("way", [1, -1])
def test_nothing_is_followed_in_what_is_left_out(way):
    text = random_letters(4_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    piece = text[1_000:1_400] if way == 1 else DNA[text[1_000:1_400][::-1]]
    assert votes(index, piece, channel=0).any()
    assert not votes(index, piece, channel=0, exclusion=index.exclude(1_001, 1_401)).any()


def test_a_copy_that_runs_into_what_is_left_out_ends_there():
    text = random_letters(4_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    found = votes(index, text[900:1_400], channel=0, exclusion=index.exclude(1_001, 1_401))
    assert right(found[20:100], text[920:1_000]) == 1.0
    assert not found[100:].any()


def test_a_repeat_of_the_sequence_itself_is_found():
    index = TrainingIndex.from_pieces(LAYOUT, [random_letters(500)], DNA)
    first = random_letters(300, seed=1)
    found = votes(index, np.concatenate([first, mutated(first, 0.1)]), channel=1)
    assert right(found[360:], mutated(first, 0.1)[60:]) > 0.8
    assert not found[:300].any()


def test_a_break_ends_all_that_is_followed():
    text = random_letters(4_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    letters = np.concatenate([text[1_000:1_100], [0], text[1_100:1_111]])
    for channel in range(2):
        assert not votes(index, letters, channel)[101:].any()


@pytest.mark.parametrize("letters", [4, 60])
def test_what_is_left_out_counts_as_little_as_if_it_were_not_there(letters):
    complement = DNA if letters == 4 else None
    layout = LAYOUT if letters == 4 else EvidenceLayout(60, (), (5, 5))
    pieces = [random_letters(size, letters, size) for size in (700, 300, 900)]
    pieces[2][100:180] = pieces[1][50:130]
    index, other = (
        TrainingIndex.from_pieces(layout, some, complement) for some in (pieces, [pieces[0], pieces[2]])
    )
    exclusion = index.exclude(702, 1_002)
    for x in (pieces[1], pieces[2], *([DNA[pieces[1][::-1]]] if letters == 4 else [])):
        one = index.read(index.new_state(1), after_break(x), exclusion=exclusion)
        two = other.read(other.new_state(1), after_break(x))
        for found, expected in zip(one[1:], two[1:], strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("letters", "width"), [(4, 1), (4, 7), (60, 1), (60, 13)])
def test_calls_of_any_width_give_what_one_gives(letters, width):
    layout = LAYOUT if letters == 4 else EvidenceLayout(60, (), (5, 5))
    text = random_letters(1_000, letters)
    index = TrainingIndex.from_pieces(layout, [text], None)
    x = np.stack([after_break(text[at : at + 60])[0] for at in (100, 500)])
    x[0, 30] = 0
    _, *whole = index.read(index.new_state(2), x)
    state, parts = index.new_state(2, capacity=3), []
    for at in range(0, 60, width):
        state, *found = index.read(state, x[:, at : at + width])
        parts.append(found)
    for one, several in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(np.concatenate(several, 1), one)


def test_rows_know_nothing_of_each_other():
    text = random_letters(2_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    x = np.stack([after_break(text[at : at + 200])[0] for at in (0, 700, 702)])
    _, together, _ = index.read(index.new_state(3), x)
    for row in range(3):
        _, alone, _ = index.read(index.new_state(1), x[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])


def test_a_reading_may_begin_without_a_break():
    text = random_letters(2_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    _, values, _ = index.read(index.new_state(1), text[None, 500:600])
    _, after, _ = index.read(index.new_state(1), np.concatenate([[0], text[500:600]])[None].astype(np.uint8))
    np.testing.assert_array_equal(values[0, 1:], after[0, 2:])


def test_unleaned_nothing_is_left_of_long_contexts_and_copies():
    """Two texts that differ in all give the same evidence, but for copies of the sequence itself."""
    layout, x = EvidenceLayout(4, (11, 16), (12, 12)), random_letters(300)
    texts = [np.concatenate([random_letters(3_000, seed=1), x]), random_letters(3_300, seed=2)]
    x = np.concatenate([x, x])
    for copy_weight, same in ((0.0, True), (1.0, False), (0.2, False)):
        one, two = (
            index.read(index.new_state(1), after_break(x), copy_weight)[1]
            for index in (TrainingIndex.from_pieces(layout, [text], DNA) for text in texts)
        )
        assert (one == two).all() == same
    assert votes(TrainingIndex.from_pieces(layout, [texts[1]], DNA), x, channel=1, copy_weight=0.0)[
        320:
    ].any()


def test_a_stronger_leaning_is_a_stronger_vote():
    text = random_letters(3_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    strengths = [
        votes(index, text[500:700], 0, copy_weight=copy_weight).astype(int).sum()
        for copy_weight in (0.1, 0.5, 1.0)
    ]
    assert strengths == sorted(strengths)
    assert 0 < strengths[0] < strengths[2]


def test_the_scores_tell_how_the_last_letter_was_held():
    text = random_letters(3_000)
    index = TrainingIndex.from_pieces(LAYOUT, [text], DNA)
    x = text[500:700]
    values = index.read(index.new_state(1), after_break(x))[1][0]
    strengths = values[:, : LAYOUT.channels * 4].reshape(len(x), LAYOUT.channels, 4)
    held = strengths[np.arange(len(x) - 1), :, x[:-1] - 1]
    np.testing.assert_array_equal(values[1:, -LAYOUT.channels :], held)


def test_a_large_alphabet_names_the_letters_that_it_has_found():
    text = random_letters(2_000, 60)
    index = TrainingIndex.from_pieces(EvidenceLayout(60, (), (5, 5)), [text], None)
    _, values, names = index.read(index.new_state(1), after_break(text[300:400]))
    np.testing.assert_array_equal(names[0, 10:, 0, 0], text[310:400])
    assert (values[0, 10:, 0] > 0).all()
    assert not names[0, 10:, 0, 1:].any()
    np.testing.assert_array_equal(values[0, 11:, -2], values[0, 10:-1, 0])


@pytest.mark.parametrize("workers", [1, 2])
def test_pieces_are_read_in_both_directions_as_if_unindexed(workers):
    pieces = [random_letters(400, seed=seed) for seed in range(3)]
    pieces[2][:100] = mutated(pieces[0][50:150], 0.1)
    index = TrainingIndex.from_pieces(LAYOUT, pieces, DNA)
    bounds = np.array([(1 + 401 * n, 401 + 401 * n) for n in range(3)])
    seen = []
    for number, direction, values, _ in leave_one_out_evidence(index, bounds, workers):
        others = TrainingIndex.from_pieces(LAYOUT, [p for n, p in enumerate(pieces) if n != number], DNA)
        x = pieces[number] if direction == 1 else DNA[pieces[number][::-1]]
        np.testing.assert_array_equal(values, others.read(others.new_state(1), after_break(x))[1][0])
        seen.append((number, direction))
    assert seen == [(number, direction) for number in range(3) for direction in (1, -1)]


def test_special_codes_are_breaks():
    assert encode_letters(np.array([0, 1, 2, 3, 4, 257])).tolist() == [0, 0, 0, 1, 2, 255]


@pytest.mark.parametrize("complement", [None, DNA], ids=["one strand", "both"])
def test_a_library_with_one_more_piece_is_that_of_all(complement):
    pieces = [random_letters(size, seed=size) for size in (300, 200, 100)]
    with_piece = TrainingIndex.from_pieces(LAYOUT, pieces[:2], complement).with_piece(pieces[2])
    np.testing.assert_array_equal(with_piece.text, TrainingIndex.from_pieces(LAYOUT, pieces, complement).text)


def test_what_is_left_out_is_the_same_stretch_on_both_strands():
    index = TrainingIndex.from_pieces(LAYOUT, [random_letters(500)], DNA)
    (start, stop), (low, high) = index.exclude(100, 180).intervals
    assert (start, stop) == (100, 180)
    np.testing.assert_array_equal(DNA[index.text[low:high][::-1]], index.text[start:stop])
