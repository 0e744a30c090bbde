"""The reference fits what was asked: slip jigs are compared with slip jigs."""

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.text import Text
from pipeline.evaluation.reference_selection import (
    MAX_BATCHES,
    RequestedAttributes,
    draw_matching,
    select_held_out,
)
from pipeline.records import Record, Sample

JIG, REEL, SLIP_JIG = (
    Record(name, f"R:{name}\nM:{meter}\nL:1/8\nK:{key}\n{body}|]")
    for name, meter, key, body in (
        ("jig", "6/8", "D", "d3f3"), ("reel", "4/4", "G", "g4b4"), ("slip jig", "9/8", "D", "d3f3a3"),
    )
)  # fmt: skip


def samples(*primes: str) -> list[Sample]:
    return [Sample(at, 1, prime + "d3", len(prime), True, -1.0) for at, prime in enumerate(primes)]


def requests(*primes: str, **settings: str) -> RequestedAttributes:
    return RequestedAttributes.from_samples(Abc(**settings), samples(*primes))


@pytest.mark.parametrize(("requested", "fitting", "said"), [
    (requests(""), [JIG, REEL, SLIP_JIG], ""),
    (requests("", meter="9/8"), [SLIP_JIG], "meter 9/8"),
    (requests("", dance="jig"), [JIG], "dance jig"),
    (requests("", key="D major"), [JIG, SLIP_JIG], "key D"),
    (requests("", key="D", meter="9/8"), [SLIP_JIG], "key D and meter 9/8"),
    (requests("R:reel\n"), [REEL], "dance reel"),
    (requests("M:6/8\nL:1/8\nK:D\nd2"), [JIG], "key D and meter 6/8"),
    (requests("M:6/8\nL:1/8\nK"), [JIG], "meter 6/8"),
    (requests("M:9/8\n", "M:4/4\n"), [REEL, SLIP_JIG], "meter 4/4, or meter 9/8"),
    (requests("M:9/8\n", ""), [JIG, REEL, SLIP_JIG], ""),
], ids=["nothing", "meter", "dance", "key", "both", "a prime", "a prime with notes", "a prime cut short",
        "a grid of primes", "a grid with an empty prime"])  # fmt: skip
def test_real_records_fit_that_have_what_was_asked_for(requested, fitting, said):
    assert [each for each in (JIG, REEL, SLIP_JIG) if requested.matches(each)] == fitting
    assert str(requested) == said


def test_a_broken_sequence_fits_no_request():
    assert not requests("", meter="9/8").matches(Record("broken", "M:9/8\n"))


def test_many_requests_are_counted_instead_of_listed():
    assert str(requests(*(f"M:{beats}/8\n" for beats in range(1, 7)))) == "one of 6 requests"


def test_a_domain_without_attributes_takes_all_records():
    assert RequestedAttributes.from_samples(Text(), samples("a jig")).matches(Record("reel", "a reel"))


def test_too_few_held_out_records_are_joined_by_those_of_the_validation_split():
    slip_jigs = requests("", meter="9/8")
    found, said = select_held_out(slip_jigs, [SLIP_JIG] * 8 + [REEL], lambda: pytest.fail("not needed"))
    assert found == [SLIP_JIG] * 8
    assert said == ("reference: 8 held-out real records with meter 9/8 (of the test split)",)
    found, said = select_held_out(slip_jigs, [SLIP_JIG] * 3 + [REEL], lambda: [JIG, *[SLIP_JIG] * 5])
    assert found == [SLIP_JIG] * 8
    assert said == (
        "reference: 8 held-out real records with meter 9/8 "
        "(3 of the test split, too few, and 5 of the validation split)",
    )


def test_without_a_reference_the_run_says_so():
    found, (line,) = select_held_out(requests("", meter="9/8"), [SLIP_JIG, REEL], lambda: [JIG])
    assert found == [SLIP_JIG]
    assert line.startswith("no reference: only 1 held-out real records with meter 9/8 (1 of the test split")
    assert "8 are needed" in line and "dataset.split.test" in line


def test_where_nothing_is_asked_the_test_split_is_taken_as_it_is():
    assert select_held_out(requests(""), [JIG], lambda: pytest.fail("not needed")) == ([JIG], ())


def test_baselines_are_drawn_until_enough_of_them_fit():
    batches = iter([[JIG, REEL]] * (MAX_BATCHES + 1))
    requested = requests("", meter="6/8")
    assert draw_matching(requested, lambda: next(batches), lambda each: each, 3) == [JIG] * 3
    assert draw_matching(requested, lambda: [REEL], lambda each: each, 3) == []
    once = iter([[JIG, REEL]])
    assert draw_matching(requests(""), lambda: next(once), lambda each: each, 2) == [JIG, REEL]
