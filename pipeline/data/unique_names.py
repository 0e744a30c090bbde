"""Names made unique: the second of a name gets a number behind it."""

from dataclasses import replace

from pipeline.records import Record


class UniqueNames:
    """Names that were given, to be asked about each further one.

    >>> names = Names()
    >>> [names.unique(name) for name in ("chr1", "chr1", "chr1", "chr1.2")]
    ['chr1', 'chr1.2', 'chr1.3', 'chr1.2.2']
    """

    def __init__(self) -> None:
        # Eight bytes of a hash each, since there may be millions.
        self._given: set[int] = set()
        self._counts: dict[str, int] = {}
        self.renamed = 0
        """How many names got a number."""
        self.example = ""
        """The first of these."""

    def own(self, record: Record) -> Record:
        """The record, under a name of its own."""
        name = self.unique(record.id)
        return record if name == record.id else replace(record, id=name)

    def unique(self, name: str) -> str:
        """The name, or the name with a number behind it where it was given before."""
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
