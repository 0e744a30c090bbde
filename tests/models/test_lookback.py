"""The symbols some bars earlier are features while the bars are equal, and help to repeat them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from pipeline.data.alphabet import BOS, Alphabet
from pipeline.domains.music.abc.domain import Abc
from pipeline.errors import ConfigError, DataError
from pipeline.generation.engine import draw
from pipeline.generation.request import Request
from pipeline.models import lookback
from pipeline.models.checkpoint import KEY, describe, load
from pipeline.models.lookback import MAX_LENGTH, MAX_SYMBOL_LENGTH, Lookback
from pipeline.models.recurrent import CELLS, Recurrent, RecurrentModel
from pipeline.records import Symbols
from pipeline.segments import Segments

HEADER = "M:2/4\nL:1/8\nK:D\n"
ALPHABET = Alphabet(sorted(set(HEADER + 'ABcdefg|:[]{}1234"m')))
TUNES = Abc().segments(ALPHABET.symbols)
BARS = Segments([int(role) for role in TUNES.roles], TUNES.lengths, [1, 2])
SIZE = len(ALPHABET)


def rows_seen(text: Symbols, segments: Segments = BARS, alphabet: Alphabet = ALPHABET) -> np.ndarray:
    """The table's rows that are seen after each symbol, ``(symbols, distances + OTHER_FEATURES)``."""
    looking = Lookback(segments, len(alphabet), 1)
    codes = torch.tensor([[BOS, *alphabet.encode(text, where="a test").tolist()]])
    _, states = looking(codes[:, :1], None)
    found = []
    for code in codes[:, 1:].unbind(1):
        _, states = looking(code[:, None], states)
        first, features = lookback.FEATURE_ROWS, len(segments.distances) + lookback.OTHER_FEATURES
        found.append(states[0, first : first + features].to(torch.int64).numpy())
    return np.array(found)


def seen(body: str, distance: int) -> str:
    """What is seen after each symbol of a tune's body: the one that came next so many bars before, or a
    dot."""
    kind = BARS.distances.index(distance)
    names = {ALPHABET.code(symbol): symbol for symbol in ALPHABET.symbols}
    rows = rows_seen(HEADER + body)[len(HEADER) :, kind] - kind * (SIZE + 1)
    return "".join(names.get(int(row), ".") for row in rows)


def counts(body: str) -> list[list[int]]:
    """After each symbol how many bars the section has, how many the one before had, and how many halves of a
    note the bar has."""
    rows = rows_seen(HEADER + body)[len(HEADER) :, len(BARS.distances) :]
    first = len(BARS.distances) * (SIZE + 1)
    firsts = [first + place * lookback.COUNT_ROWS for place in range(3)]
    return [(column - start).tolist() for column, start in zip(rows.T[:3], firsts, strict=True)]


def said(text: str, alphabet: Alphabet = ALPHABET, segments: Segments = BARS) -> list[str]:
    """What of the heading is seen after a text."""
    size = len(alphabet)
    first = len(segments.distances) * (size + 1) + 2 * lookback.COUNT_ROWS + lookback.LENGTH_ROWS
    places = rows_seen(text, segments, alphabet)[-1, -2:] - [first, first + size + 1] - 1
    return [alphabet.symbols[place - 3] if place >= 0 else "" for place in places.tolist()]


def test_the_next_symbol_is_that_of_a_bar_before_until_the_bars_differ():
    body = "AB2|cd2|AB2|Ag2|cd2|"
    assert seen(body, 1) == "...A...c...AB..A...c"
    assert seen(body, 2) == ".......AB2|c...A...A"


def test_repeats_and_endings_are_no_bars_and_no_notes():
    body = "|:AB|cd|1AB:|2cd|]"
    assert seen(body, 2)[len("|:AB|cd|1") - 1] == "A"
    assert counts("ABcd|A|B|c||d|e:|f|")[0] == [0] * 4 + [1, 1, 2, 2, 3, 3, 4, 0, 0, 1, 1, 1, 0, 0, 1]
    assert counts("ABcd|A|B|c||d|e:|f|")[1] == [0] * 11 + [4] * 5 + [2] * 3


def test_two_repeat_signs_in_one_end_a_bar():
    assert counts("A|B|c::d|e:|")[0] == [0, 1, 1, 2, 2, 2, 0, 0, 1, 1, 1, 0]
    assert counts("A|B|c::d|e:|")[1] == [0] * 6 + [3] * 5 + [2]


def test_an_upbeat_is_no_bar_once_the_next_shows_that_it_is_short():
    assert counts("A|Bcde|fg2c|")[0] == [0] + [1] * 6 + [1] * 4 + [2]
    assert counts("ABcd|BcA|fg2c|")[0] == [0] * 4 + [1] * 4 + [2] * 5 + [3]


def test_the_length_of_a_bar_so_far_is_counted_in_halves():
    assert counts("A2B|c4|")[2] == [2, 4, 6, 0, 2, 8, 0]


def test_chord_symbols_and_grace_notes_last_no_time_and_chords_as_long_as_a_note():
    assert counts('"Am"A{Bc}d[eg]2|')[2] == [0, 0, 0, 0, 2, 2, 2, 2, 2, 4, 6, 6, 6, 6, 8, 0]
    assert counts("ABcd|[K:D]e|f|")[0][-1] == 3


def test_the_key_is_seen_to_the_end():
    assert said(HEADER + "AB|cd|") == ["D", ""]
    assert said(HEADER.replace("K:D", "K:Bd") + "AB|cd|") == ["B", "d"]
    assert said(HEADER[:-1]) == ["1", "/"]
    tokens = Alphabet(["A", "B", "K:D\n", "M:2/4\n", "|"])
    bars = Abc(representation="token").segments(tokens.symbols)
    assert said(("M:2/4\n", "K:D\n", "A", "B", "|", "A"), tokens, bars) == ["K:D\n", ""]


def test_a_new_sequence_has_seen_nothing():
    body = "AB|AB|"
    assert np.array_equal(rows_seen(HEADER + body), rows_seen(HEADER + body))
    looking = Lookback(BARS, SIZE, 4)
    codes = torch.tensor([[BOS, *ALPHABET.encode(HEADER + body, where="a test").tolist()]])
    first, states = looking(codes, None)
    again, _ = looking(codes, states)
    assert torch.equal(first, again)


def test_symbols_too_far_back_are_no_longer_seen():
    far = "A" + "B" * lookback.MAX_HISTORY + "|A"
    assert seen(far, 1)[-1] == "."
    assert seen("A" + "B" * 100 + "|A", 1)[-1] == "B"


def build_model(segments: Segments | None) -> RecurrentModel:
    torch.manual_seed(0)
    return Recurrent("lstm", 16, 1, segments=segments).build(SIZE)


def test_calls_of_any_width_give_the_logits_of_one():
    model = build_model(BARS).double()
    codes = torch.from_numpy(np.random.default_rng(1).integers(2, SIZE, (3, 60)))
    whole, _ = model(codes)
    state, parts = None, []
    for part in codes.split([1, 30, 1, 28], 1):
        logits, state = model(part, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole)


def test_bars_that_come_again_are_learned_in_a_few_steps():
    rng = np.random.default_rng(0)
    notes = ALPHABET.encode("ABcdefg", where="a test")
    losses = {}
    for name, segments in (("with", BARS), ("without", None)):
        model = build_model(segments)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        line = ALPHABET.code("|")
        for _ in range(60):
            bars = rng.choice(notes, (16, 4))
            bar = np.concatenate([bars, np.full((16, 1), line)], 1)
            start = np.tile([BOS, *ALPHABET.encode(HEADER, where="a test")], (16, 1))
            codes = torch.from_numpy(np.concatenate([start, bar, bar, bar, bar], 1).astype(np.int64))
            logits, _ = model(codes[:, :-1])
            again = slice(start.shape[1] + 5, None)
            loss = cross_entropy(logits[:, again].flatten(0, 1), codes[:, 1:][:, again].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses[name] = loss.item()
    assert losses["with"] < 0.3 < 1 < losses["without"]


@pytest.mark.parametrize("setting", ["segments", "phrases"])  # the name in this version, and in earlier ones
def test_a_checkpoint_brings_its_segments_and_wrong_ones_are_refused(setting, tmp_path):
    model, path = build_model(BARS).eval(), tmp_path / "best.ckpt"
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    node = {
        "_target_": "pipeline.models.recurrent.Recurrent", "cell": "lstm", "hidden_size": 16, "num_layers": 1,
        setting: {"roles": BARS.roles, "lengths": BARS.lengths, "distances": BARS.distances},
    }  # fmt: skip
    torch.save({"state_dict": weights, KEY: describe(node, ALPHABET)}, path)
    codes = torch.from_numpy(np.random.default_rng(1).integers(2, SIZE, (2, 40)))
    assert torch.equal(load(path).model(codes)[0], model(codes)[0])
    node[setting] = {**node[setting], "roles": BARS.roles[1:]}
    torch.save({"state_dict": weights, KEY: describe(node, ALPHABET)}, path)
    with pytest.raises(DataError, match=f"{SIZE - 4} roles and {SIZE - 3} lengths for {SIZE} codes"):
        load(path)


@pytest.mark.parametrize(
    "name, value",
    [
        *(("distances", wrong) for wrong in ([], [0], [32], [1] * 9)),
        *(("roles", [wrong, *BARS.roles[1:]]) for wrong in (-1, 9, 10**30)),
        *(("lengths", [wrong, *BARS.lengths[1:]]) for wrong in (float("nan"), float("inf"), -1e31)),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigError, match=rf"segments.{name}=\S+ is out of range"):
        Lookback(replace(BARS, **{name: value}), SIZE, 4)


def test_very_long_and_negative_lengths_are_seen_as_the_longest_and_as_none():
    for length, halves in ((MAX_SYMBOL_LENGTH, MAX_LENGTH), (-MAX_SYMBOL_LENGTH, 0)):
        rows = rows_seen(HEADER + "AAAA", replace(BARS, lengths=[length] * len(BARS.lengths)))
        first = len(BARS.distances) * (SIZE + 1) + 2 * (lookback.MAX_SEGMENTS + 1)
        assert rows[-1, len(BARS.distances) + 2] - first == halves


@pytest.mark.parametrize("cell", CELLS)
def test_without_lookback_features_the_segments_change_nothing(cell):
    plain, given = Recurrent(cell, 16, 1), Recurrent(cell, 16, 1, lookback=False, segments=BARS)
    assert str(given) == str(plain)
    samples = []
    for settings in (plain, given):
        torch.manual_seed(0)
        model = settings.build(SIZE).eval()
        samples.append(list(draw(model, ALPHABET, Request(4, 30, 1))))
    assert samples[0] == samples[1]
