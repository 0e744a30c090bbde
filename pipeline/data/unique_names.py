"""Unique names: a repeated name gets a number as its suffix."""

from dataclasses import replace

from pipeline.records import Record


class UniqueNames:
    """Remembers all names and makes each further one unique.

    >>> names = UniqueNames()
    >>> [names.unique(name) for name in ("chr1", "chr1", "chr1", "chr1.2")]
    ['chr1', 'chr1.2', 'chr1.3', 'chr1.2.2']
    """

    def __init__(self) -> None:
        # A hash of eight bytes instead of the name, because there may be millions.
        self._given: set[int] = set()
        self._counts: dict[str, int] = {}
        self.renamed = 0
        """Number of names that got a suffix."""
        self.example = ""
        """The first name with a suffix."""

    def rename(self, record: Record) -> Record:
        """Return the record under a unique name."""
        name = self.unique(record.id)
        return record if name == record.id else replace(record, id=name)

    def unique(self, name: str) -> str:
        """Return the name, with a number as its suffix where the name was used before."""
        if hash(name) not in self._given:
            self._given.add(hash(name))
            return name
        self.renamed += 1
        count = self._counts.get(name, 1) + 1
        while hash(f"{name}.{count}") in self._given:
            count += 1
        self._counts[name] = count
        self._given.add(hash(f"{name}.{count}"))
        self.example = self.example or f"{name}.{count}"
        return f"{name}.{count}"
