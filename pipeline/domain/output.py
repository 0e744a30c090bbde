"""The part of the interface `Domain` that compares and writes finished records."""

import abc
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.records import DomainOutput, Record, References


class OutputInterface(abc.ABC):
    """The formats of a domain, and its methods that compare and write finished records."""

    separator: ClassVar[str] = ""
    """The separator between symbols where people read them."""
    record_suffix: ClassVar[str] = ".txt"
    """The suffix of files with texts of `format_record`."""
    output_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that only affect output. With other values, samples are written again, and nothing else."""

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        """Compare the samples with the training records for copies, before they are written.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.
        references : References
            The groups to compare with.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        tuple[Sequence[Record], DomainOutput]
            The records to keep, with the metadata `copied` where flagged, and an output with the rejected
            ones.
        """
        return records, DomainOutput()

    def rank(self, records: Sequence[Record]) -> Sequence[Record]:
        """Order the finished records for renders and people; the first ones are shown.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.

        Returns
        -------
        Sequence[Record]
            The same records, by default in the order of sampling.
        """
        return records

    @abc.abstractmethod
    def write(self, records: Sequence[Record], out_dir: Path) -> DomainOutput:
        """Write the finished records in the format of the domain.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples. Their metadata has the keys model, temperature, seed, index, log_probability
            (nats) and bits_per_symbol.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        DomainOutput
            The files, sections and lines.
        """

    def format_record(self, record: Record, number: int) -> str:
        """Format one sequence of a reference group.

        Parameters
        ----------
        record : Record
            The record.
        number : int
            Its number in the file, from 1.

        Returns
        -------
        str
            The text, in the format of the domain.
        """
        return f"{record.text}\n\n"

    def write_tracks(self, tracks: Iterable[tuple[Record, np.ndarray]], out_dir: Path) -> DomainOutput:
        """Write the surprisal along records for other programs.

        Parameters
        ----------
        tracks : Iterable[tuple[Record, np.ndarray]]
            Records without their symbols, and the surprisal of each symbol in bits ``(length,)``.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        DomainOutput
            The files.
        """
        return DomainOutput()

    def compare(self, records: Sequence[Record], references: References, out_dir: Path) -> DomainOutput:
        """Compare statistics of the samples with those of the reference groups.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.
        references : References
            The groups to compare with.
        out_dir : Path
            The folder to write into, which exists.

        Returns
        -------
        DomainOutput
            Tables, plots and conclusions.
        """
        return DomainOutput()
