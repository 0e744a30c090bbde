import time

import pytest
import torch

from pipeline.runtime.threads import find_fastest_threads


def make_step(seconds: dict[int, float], seen: list[int] | None = None):
    """A step that takes so long with so many threads."""

    def step() -> None:
        number = torch.get_num_threads()
        if seen is not None:
            seen.append(number)
        time.sleep(seconds[number])

    return step


@pytest.mark.parametrize(
    ("seconds", "fastest"),
    [({1: 0.03, 2: 0.01}, 2), ({1: 0.01, 2: 0.03}, 1), ({1: 0.0300, 2: 0.0299}, 1)],
)
def test_the_faster_number_is_taken_and_the_smaller_of_equals(seconds, fastest):
    assert find_fastest_threads(make_step(seconds), 2) == fastest


def test_powers_of_two_and_all_cores_are_tried():
    seen: list[int] = []
    find_fastest_threads(make_step(dict.fromkeys(range(1, 7), 0.0), seen), 6)
    assert sorted(set(seen)) == [1, 2, 4, 6]


def test_one_core_has_nothing_to_choose_from():
    assert find_fastest_threads(make_step({1: 0.0}), 1) == 1


def test_torch_keeps_the_threads_it_had_whatever_happens():
    before = torch.get_num_threads()
    with pytest.raises(KeyError):
        find_fastest_threads(make_step({1: 0.0}), 2)
    assert torch.get_num_threads() == before
