"""Longest matches, found by the automaton and by trying every substring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation import exact_matches
from pipeline.evaluation.exact_matches import NO_LETTER, find_matches

COMPLEMENT = np.array([3, 2, 1, 0], np.uint8)
SIZES = (1, 2, 3, 5)


def codes(text: str) -> np.ndarray:
    return np.array(["ACGT".find(letter) % 256 for letter in text], np.uint8)


def turned(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def found(queries: list[str], texts: list[str], both: bool = True) -> list[tuple]:
    """For each query its match, as `Matches` has it, and the shared words."""
    batches = find_matches(
        [codes(query) for query in queries],
        lambda: [codes(text) for text in texts],
        4,
        SIZES,
        COMPLEMENT if both else None,
    )
    rows = []
    for batch in batches:
        rows += zip(*(column.tolist() for column in batch), strict=True)
    return rows


def stands(word: str, texts: list[str], both: bool) -> bool:
    return "N" not in word and any(word in text or (both and turned(word) in text) for text in texts)


def words(query: str, size: int) -> list[str]:
    return [query[at : at + size] for at in range(len(query) - size + 1)]


few_letters = st.text(st.sampled_from("AC"), min_size=1, max_size=24)
all_letters = st.text(st.sampled_from("ACGTN"), min_size=1, max_size=24)
sequences = st.lists(few_letters | all_letters, min_size=1, max_size=5)


@settings(deadline=None)  # the first call compiles
@given(queries=sequences, texts=sequences, both=st.booleans())
def test_every_match_is_that_of_trying_all_substrings(queries, texts, both):
    for query, row in zip(queries, found(queries, texts, both), strict=True):
        length, start, text, text_start, reverse, shared = row
        sizes = [n for n in range(1, len(query) + 1) if any(stands(w, texts, both) for w in words(query, n))]
        assert length == max(sizes, default=0)
        assert shared == [sum(stands(word, texts, both) for word in words(query, size)) for size in SIZES]
        if length:
            match = query[start : start + length]
            assert not any(stands(word, texts, both) for word in words(query, length)[:start])
            place = texts[text][text_start : text_start + length]
            assert (turned(place) if reverse else place) == match
        else:
            assert text == -1 and not reverse


def test_a_match_on_the_other_strand_has_the_place_on_the_strand_given():
    assert found([turned("ACGGT")], ["TTTT", "CCACGGTAA"])[0][:5] == (5, 0, 1, 2, True)
    assert found(["GGCA"], ["TGCCA"], both=False)[0][:5] == (2, 1, 0, 1, False)  # GC; GCA would need both


def test_queries_in_several_batches_give_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    queries = ["".join(rng.choice(list("ACGT"), 40)) for _ in range(20)]
    texts = ["".join(rng.choice(list("ACGT"), 300)) for _ in range(3)] + [queries[7], turned(queries[12])]
    at_once = found(queries, texts)
    assert [at_once[number][0] for number in (7, 12)] == [40, 40]
    monkeypatch.setattr(exact_matches, "MAX_BATCH_LETTERS", 90)
    batches = list(find_matches([codes(q) for q in queries], lambda: [codes(t) for t in texts], 4))
    assert len(batches) == 10
    assert found(queries, texts) == at_once


@pytest.mark.parametrize("letters", [1, 40], ids=["one letter", "forty letters"])
def test_alphabets_of_other_sizes(letters):
    rng = np.random.default_rng(letters)
    text = rng.integers(0, letters, 500).astype(np.uint8)
    query = np.concatenate([[NO_LETTER], text[100:130], [NO_LETTER]]).astype(np.uint8)
    (batch,) = find_matches([query], lambda: [text], letters)
    assert (batch.length[0], batch.start[0]) == (30, 1)
    assert (text[batch.text_start[0] :][:30] == text[100:130]).all()


def test_nothing_in_nothing_is_found():
    assert found([], ["ACGT"]) == []
    assert [row[:3] for row in found(["ACGT", "G"], [])] == [(0, 0, -1)] * 2


def test_a_million_times_one_letter_takes_linear_time():
    query, text = np.zeros(200_000, np.uint8), np.zeros(1_000_000, np.uint8)
    (batch,) = find_matches([query, query[:1000]], lambda: [text], 4, (32,), COMPLEMENT)
    assert batch.length.tolist() == [200_000, 1000]
    assert batch.shared[:, 0].tolist() == [200_000 - 31, 1000 - 31]
