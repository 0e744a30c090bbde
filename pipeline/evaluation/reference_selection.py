"""Reference records that match the request: slip jigs are compared with slip jigs, not with all tunes.

A request is a set of attributes, such as a meter, that the settings or the prime request of a sample. Only
the domain knows what an attribute is (`Domain.requested_attributes`, `Domain.attributes`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pipeline.domain import Domain
from pipeline.records import Record, Sample

MIN_REFERENCES = 8
"""Fewer real records of a kind are no reference."""
MAX_BATCHES = 8
"""Batches of baseline sequences that are drawn, at most, to find matching ones; a batch has as many
sequences as there are samples."""

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class RequestedAttributes:
    """The distinct requests of a run: a record matches where it has all attributes of one of them."""

    domain: Domain
    requested: tuple[Mapping[str, str], ...]

    @classmethod
    def from_samples(cls, domain: Domain, samples: Iterable[Sample]) -> "RequestedAttributes":
        """The attributes requested of these samples; none where one sample has no request."""
        primes = dict.fromkeys(sample.symbols[: sample.prime_length] for sample in samples)
        requested = {tuple(sorted(domain.requested_attributes(prime).items())) for prime in primes}
        return cls(domain, () if () in requested else tuple(dict(each) for each in sorted(requested)))

    def matches(self, record: Record) -> bool:
        """Whether a record has the attributes of a request; any record matches where there is none."""
        if not self.requested:
            return True
        has = self.domain.attributes(record).items()
        return any(each.items() <= has for each in self.requested)

    def __str__(self) -> str:
        """The requests as text, such as "meter 9/8, or key D and meter 6/8"."""
        shown = [" and ".join(f"{name} {value}" for name, value in each.items()) for each in self.requested]
        return ", or ".join(shown) if len(shown) <= 4 else f"one of {len(shown)} requests"


def select_held_out(
    requests: RequestedAttributes, test: Iterable[Record], validation: Callable[[], Iterable[Record]]
) -> tuple[list[Record], tuple[str, ...]]:
    """The held-out records that match, and a line about them where there is a request.

    They are those of the test split, and those of the validation split too where these are fewer than
    `MIN_REFERENCES`.
    """
    chosen = [record for record in test if requests.matches(record)]
    if not requests.requested:
        return chosen, ()
    of_test = len(chosen)
    where = "of the test split"
    if of_test < MIN_REFERENCES:
        chosen += [record for record in validation() if requests.matches(record)]
        where = f"{of_test} of the test split, too few, and {len(chosen) - of_test} of the validation split"
    line = f"{len(chosen)} held-out real records with {requests} ({where})"
    if len(chosen) < MIN_REFERENCES:
        more = "a larger dataset.split.test and dataset.split.validation hold out more"
        return chosen, (f"no reference: only {line}, and {MIN_REFERENCES} are needed; {more}",)
    return chosen, (f"reference: {line}",)


def draw_matching(
    requests: RequestedAttributes,
    draw: Callable[[], Sequence[Drawn]],
    build_record: Callable[[Drawn], Record],
    count: int,
) -> list[Drawn]:
    """The first `count` baseline sequences that match the requests, drawn in batches; fewer, even none, where
    `MAX_BATCHES` batches have fewer."""
    found: list[Drawn] = []
    for _ in range(MAX_BATCHES):
        found += [each for each in draw() if requests.matches(build_record(each))]
        if len(found) >= count:
            break
    return found[:count]
