"""The methods that domains of FASTA sequences, of DNA and of proteins, share."""

from collections.abc import Set
from pathlib import Path
from typing import ClassVar

from pipeline.domain import Domain
from pipeline.domains.genome.writing import format_fasta
from pipeline.errors import ConfigError
from pipeline.records import Record, Rejection, Sample

COMPRESSED = {".gz", ".bgz", ".bz2", ".xz", ".zst"}
"""Suffixes of compressed files."""


class SequenceDomain(Domain):
    """A domain whose records are sequences in FASTA format.

    A subclass has the setting `line_width`.
    """

    file_suffixes: ClassVar[Set[str]]
    """Usual suffixes of the files, in lower case."""
    symbol_description: ClassVar[str]
    """The description of a symbol in messages, such as "a base"."""
    line_width: int

    def accepts_file(self, path: Path) -> bool:
        """Accept names with one of `file_suffixes`, compressed or not."""
        suffixes = path.suffixes
        if suffixes and suffixes[-1].lower() in COMPRESSED:
            suffixes.pop()
        return not path.name.startswith(".") and bool(suffixes) and suffixes[-1].lower() in self.file_suffixes

    def parse_prime(self, text: str) -> str:
        """Parse a prime in upper or lower case; white space does not count.

        Raises
        ------
        ConfigError
            With the position, where a symbol is not in the alphabet.
        """
        prime = "".join(text.split()).upper()
        alphabet = self.alphabet or ()
        for position, symbol in enumerate(prime, start=1):
            if symbol not in alphabet:
                raise ConfigError(
                    f"sample.prime: symbol {symbol!r} at position {position} is not "
                    f"{self.symbol_description} ({', '.join(alphabet)}); leave it out or replace it"
                )
        return prime

    def parse_rest(self, text: str) -> str:
        """Parse the sequence after a gap, as a prime."""
        return self.parse_prime(text)

    def finish(self, sample: Sample) -> Record | Rejection:
        """Name a sample by its index from 1; `complete` states whether it has an end of its own."""
        sequence = "".join(sample.symbols)
        if not sequence:
            return Rejection(f"sample {sample.index}", "empty sequence")
        odd = sorted(set(sequence) - set(self.alphabet or ()))
        if odd:
            reason = f"symbol that is not {self.symbol_description}"
            return Rejection(f"sample {sample.index}", reason, " ".join(odd))
        metadata = {} if self.open_ended else {"complete": "yes" if sample.ended else "no"}
        return Record(f"synthetic_{sample.index + 1:04d}", sequence, metadata)

    def format_record(self, record: Record, number: int) -> str:
        """Format a record as FASTA."""
        return format_fasta(record, self.line_width)
