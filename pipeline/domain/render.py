"""The interface of renders, which turn finished records into further files."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pipeline.domain.component import Component
from pipeline.records import DomainOutput, Record, References


class Render(Component, abc.ABC):
    """Turns finished records into further files: MIDI, a score, a table of search hits."""

    family: ClassVar[str]
    """The `Domain.family` that it reads."""

    @abc.abstractmethod
    def __call__(
        self, records: Sequence[Record], references: References, out_dir: Path, seed: int
    ) -> DomainOutput:
        """Write the files of the render.

        Parameters
        ----------
        records : Sequence[Record]
            The finished samples.
        references : References
            The groups to compare with.
        out_dir : Path
            An existing folder, shared with the files of the domain; the render makes its own folder in it.
        seed : int
            Seed of random choices.

        Returns
        -------
        DomainOutput
            The files, sections and lines. An unusable record is a rejection in it, not an error.
        """
