"""Reference records that fit the request: slip jigs are compared with slip jigs, not with all tunes.

A request is a set of attributes, such as a meter, that the settings or the prime ask of a sample. Only the
domain knows what an attribute is (`Domain.requested_attributes`, `Domain.attributes`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.domain import Domain
from pipeline.records import Record, Sample

MIN_REFERENCES = 8
"""Fewer real records of a kind are no reference."""
MAX_DRAWS = 8
"""How often as many baseline sequences as there are samples are drawn, at most, to find those that fit."""

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Requests:
    """The distinct requests of a run: a record fits where it has all attributes of one of them."""

    domain: Domain
    asked: tuple[Mapping[str, str], ...]

    @classmethod
    def of_samples(cls, domain: Domain, samples: Iterable[Sample]) -> "Requests":
        """What was asked of these samples; nothing where one of them was asked for nothing."""
        primes = dict.fromkeys(sample.symbols[: sample.prime_length] for sample in samples)
        asked = {tuple(sorted(domain.requested_attributes(prime).items())) for prime in primes}
        return cls(domain, () if () in asked else tuple(dict(each) for each in sorted(asked)))

    def fit(self, record: Record) -> bool:
        """Whether a record has the attributes of a request; any record where nothing was asked for."""
        if not self.asked:
            return True
        has = self.domain.attributes(record).items()
        return any(each.items() <= has for each in self.asked)

    def __str__(self) -> str:
        """For people, such as "meter 9/8, or key D and meter 6/8"."""
        shown = [" and ".join(f"{name} {value}" for name, value in each.items()) for each in self.asked]
        return ", or ".join(shown) if len(shown) <= 4 else f"one of {len(shown)} requests"


def select_held_out(
    requests: Requests, test: Iterable[Record], validation: Callable[[], Iterable[Record]]
) -> tuple[list[Record], tuple[str, ...]]:
    """The held-out records that fit, and a line that says so where something was asked for.

    Those of the test split; where they are fewer than `MIN_REFERENCES`, those of the validation split too.
    """
    chosen = [record for record in test if requests.fit(record)]
    if not requests.asked:
        return chosen, ()
    of_test = len(chosen)
    where = "of the test split"
    if of_test < MIN_REFERENCES:
        chosen += [record for record in validation() if requests.fit(record)]
        where = f"{of_test} of the test split, too few, and {len(chosen) - of_test} of the validation split"
    line = f"{len(chosen)} held-out real records with {requests} ({where})"
    if len(chosen) < MIN_REFERENCES:
        more = "a larger dataset.split.test and dataset.split.validation hold out more"
        return chosen, (f"no reference: only {line}, and {MIN_REFERENCES} are needed; {more}",)
    return chosen, (f"reference: {line}",)


def draw_fitting(
    requests: Requests, draw: Callable[[], Sequence[Drawn]], record_of: Callable[[Drawn], Record], count: int
) -> list[Drawn]:
    """Of baseline sequences, drawn in batches, the first `count` that fit the requests; fewer, even none,
    where `MAX_DRAWS` batches do not hold so many."""
    found: list[Drawn] = []
    for _ in range(MAX_DRAWS):
        found += [each for each in draw() if requests.fit(record_of(each))]
        if len(found) >= count:
            break
    return found[:count]
