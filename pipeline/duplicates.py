"""Near-duplicates among the records of a corpus: none may stand in two subsets, so only the first is kept.

A domain names records by a key (`Domain.duplicate_key`), by their parts (`Domain.fingerprints`), or both.
"""

from collections import Counter

from pipeline.domain import Domain, Record, Rejection

SAME_SHARE = 0.2
"""Records that have so many of the parts of the shorter one in common are near-duplicates."""


class NearDuplicates:
    """What was kept so far, to be asked about each record in turn."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._keys: set[int] = set()
        self._ids: list[str] = []
        self._sizes: list[int] = []
        self._first_with: dict[int, int] = {}
        """By part: the first kept record that has it. A part of many is a commonplace, and tells little of
        the others."""

    def find(self, record: Record) -> Rejection | None:
        """Why a record is not to be kept; of one that is, key and parts are remembered."""
        key = self._domain.duplicate_key(record)
        # Millions of small records: eight bytes of a hash each, not the key itself.
        digest = None if key is None else hash(key)
        if digest in self._keys:
            return Rejection(record.id, "near-duplicate")
        parts = self._domain.fingerprints(record)
        earlier = self._earlier(parts) if parts else ""
        if earlier:
            return Rejection(record.id, "near-duplicate", earlier)
        if digest is not None:
            self._keys.add(digest)
        if parts:
            self._remember(record.id, parts)
        return None

    def _earlier(self, parts: frozenset[int]) -> str:
        """Which kept record has most parts in common with these, if enough, and how many."""
        shared = Counter(self._first_with[part] for part in parts if part in self._first_with)
        shares = {number: count / min(len(parts), self._sizes[number]) for number, count in shared.items()}
        if not shares:
            return ""
        nearest = max(shares, key=lambda number: shares[number])
        return f"{shares[nearest]:.0%} of {self._ids[nearest]}" if shares[nearest] >= SAME_SHARE else ""

    def _remember(self, name: str, parts: frozenset[int]) -> None:
        number = len(self._ids)
        self._ids.append(name)
        self._sizes.append(len(parts))
        for part in parts:
            self._first_with.setdefault(part, number)
