"""Everything that the builders of the stages read. Each stage has its builder in its own module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.schema import Config
from pipeline.data.corpus import Corpus
from pipeline.data.sources import checkpoint_path
from pipeline.domain import Domain, Render


@dataclass(frozen=True)
class RunInputs:
    """The settings of a run and the objects built from them.

    `plain` has the same settings as plain data, as the manifest records them. `explicit` names the settings
    of model and training that the user gave, also by an experiment. `files` are the files of the corpus,
    `scored_files` those of the stage `score`, which `scored_domain` reads; both are empty where their stage
    is not run.
    """

    settings: Config
    plain: Mapping[str, Any]
    explicit: tuple[str, ...]
    folder: Path
    domain: Domain
    renders: tuple[Render, ...]
    files: Sequence[Path]
    scored_domain: Domain
    scored_files: Sequence[Path]

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint that the stage `train` writes."""
        return self.folder / "train" / "best.ckpt"

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint to use instead of training, if one is given."""
        return checkpoint_path("checkpoint", self.settings.checkpoint, self.settings.dataset)

    @property
    def init_from(self) -> Path | None:
        """The checkpoint to start training from, if one is given."""
        return checkpoint_path("train.init_from", self.settings.train.init_from, self.settings.dataset)

    @property
    def domain_for_writing(self) -> dict[str, Any]:
        """The settings of the domain, without those that only the stage `score` reads."""
        return self._without(self.plain["domain"], self.domain.score_settings)

    @property
    def domain_for_sampling(self) -> dict[str, Any]:
        """The settings of the domain that sampling depends on: those for writing, without output settings."""
        return self._without(self.domain_for_writing, self.domain.output_settings)

    @property
    def domain_for_reading(self) -> dict[str, Any]:
        """The settings of the domain that the corpus depends on: those for sampling, without requested
        attributes."""
        return self._without(self.domain_for_sampling, self.domain.request_settings)

    def open_corpus(self) -> Corpus:
        """Open the corpus that the stage `ingest` wrote."""
        return Corpus.open(self.folder / "ingest")

    @staticmethod
    def _without(settings: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        return {name: value for name, value in settings.items() if name not in names}
