"""Removal of duplicates: of several records with the same `Domain.duplicate_key`, only the first is kept.

Near-copies are kept, and stay on one side of the split (`near_copy_groups.py`).
"""

from pipeline.domain import Domain
from pipeline.records import Record, Rejection


class DuplicateFinder:
    """Remembers the keys of the records that were kept so far."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._keys: set[int] = set()

    def find(self, record: Record) -> Rejection | None:
        """Return a rejection where a record is a duplicate; otherwise remember its key and return None."""
        key = self._domain.duplicate_key(record)
        if key is None:
            return None
        # A hash of eight bytes instead of the key, because there may be millions of records.
        digest = hash(key)
        if digest in self._keys:
            return Rejection(record.id, "duplicate")
        self._keys.add(digest)
        return None
