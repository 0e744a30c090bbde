"""The interfaces between stages and domains: stages know no domain, and domains know no stage.

A domain reads, checks and writes its records; a render turns finished records into further files. To add one,
implement `Domain` in a package of its own (`pipeline/domains/text.py` is the smallest) and name it in
`conf/domain/` and `conf/dataset/`; nothing else changes.

`Domain` has three parts: `corpus.py` (reading files), `generation.py` (requests, grammar, checks) and
`output.py` (comparison, files).
"""

from typing import ClassVar

from pipeline.domain.component import Component
from pipeline.domain.corpus import CorpusInterface, SketchSettings
from pipeline.domain.generation import AttributeCounts, GenerationInterface
from pipeline.domain.output import OutputInterface
from pipeline.domain.render import Render

__all__ = ["AttributeCounts", "Component", "Domain", "Render", "SketchSettings"]


class Domain(Component, CorpusInterface, GenerationInterface, OutputInterface):
    """The records, symbols and files of one domain.

    Implementations are frozen dataclasses, whose fields are the settings ``domain.*``. Only `read`, `finish`
    and `write` are required; the other methods have defaults.
    """

    family: ClassVar[str]
    """The family of the domain, such as "genome", "music" or "text". A render states the family that it
    reads."""

    def to_score(self) -> "Domain":
        """Return the domain that reads the sequences of the stage `score`.

        Returns
        -------
        Domain
            This domain, unless other settings apply to scoring.
        """
        return self
