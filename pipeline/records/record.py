"""Records of a corpus, and what reading rejects or reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Symbols = str | tuple[str, ...]
"""A sequence of symbols: a string where every symbol is one character, else a tuple of strings."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sequence with a name: an interval of a chromosome, a tune, a headline.

    Attributes
    ----------
    id : str
        The name, unique in a corpus.
    symbols : str | tuple[str, ...]
        The sequence.
    metadata : Mapping[str, str]
        Further facts. A record that is a part of a longer one has `source`, the id of that one, and `start`,
        its first symbol counted from 1. `subset` is train, validation or test where the source prescribes the
        split. Records with an equal `group` stay on one side of the split. `changes` lists what reading left
        out or changed: short phrases with "; " between them.
    marks : bytes | None
        One byte per symbol, an index into `Domain.mark_names`. Surprisal is reported by mark.
    """

    id: str
    symbols: Symbols
    metadata: Mapping[str, str] = field(default_factory=dict)
    marks: bytes | None = None

    @property
    def text(self) -> str:
        """The symbols, joined.

        Returns
        -------
        str
            The text.
        """
        return self.symbols if isinstance(self.symbols, str) else "".join(self.symbols)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that was not kept.

    Attributes
    ----------
    where : str
        The file and position, or the id.
    reason : str
        A short reason, by which rejections are counted.
    detail : str
        What was found.
    count : int
        The number of things that were not kept, where one rejection stands for many.
    everywhere : bool
        Whether it counts only if every file of the corpus gives it: a part that one file lacks may be in
        another.
    """

    where: str
    reason: str
    detail: str = ""
    count: int = 1
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A fact about a file that the user must know, although nothing is rejected because of it.

    The log, the summary of the run, its manifest and its report show it.

    Attributes
    ----------
    where : str
        The file.
    text : str
        The fact.
    """

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"
