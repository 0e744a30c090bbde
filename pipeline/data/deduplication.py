"""Duplicates among the records of a corpus: only the first is kept.

What is a duplicate, a domain says by a key (`Domain.duplicate_key`). Near-copies are kept, in groups (see
`pipeline/data/near_copy_groups.py`).
"""

from pipeline.domain import Domain
from pipeline.records import Record, Rejection


class DuplicateFinder:
    """The keys of what was kept so far, to be asked about each record in turn."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._keys: set[int] = set()

    def find(self, record: Record) -> Rejection | None:
        """Why a record is not to be kept; the key of one that is kept is remembered."""
        key = self._domain.duplicate_key(record)
        if key is None:
            return None
        # Millions of small records: eight bytes of a hash each, not the key itself.
        digest = hash(key)
        if digest in self._keys:
            return Rejection(record.id, "duplicate")
        self._keys.add(digest)
        return None
