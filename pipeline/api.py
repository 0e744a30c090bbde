"""Use from other programs: a trained model is loaded, and sequences are drawn from it, in a few lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.config.build import build
from pipeline.config.sampling import SampleSettings
from pipeline.data.corpus import Corpus
from pipeline.domain import Domain
from pipeline.errors import ConfigError, DataError
from pipeline.generation.attributes import Training
from pipeline.generation.prompts import parse_primes
from pipeline.generation.requests import Drawing
from pipeline.models import checkpoint
from pipeline.models.checkpoint import Loaded
from pipeline.records import Sample
from pipeline.runtime.manifest import read_manifest


@dataclass(frozen=True)
class Trained:
    """A run's model, and the domain that says what its sequences are."""

    loaded: Loaded
    domain: Domain
    folder: Path


def load(run: str | Path) -> Trained:
    """The model of a run folder. Raises DataError where it is none, or nothing has been trained in it."""
    folder = Path(run).expanduser()
    manifest = read_manifest(folder)
    if manifest is None:
        raise DataError(f"{folder.resolve()}: not a run folder; name one that has a manifest.json")
    domain = build(manifest["config"]["domain"], "domain")
    return Trained(checkpoint.load(folder / "train" / "best.ckpt"), domain, folder)


def generate(trained: Trained, seed: int = 0, **settings: Any) -> Iterator[Sample]:
    """Draw sequences; the settings are those of `sample` in a configuration: count, length and others.

    Each sample has its symbols, log-probability, bits per symbol and seed, and depends on the settings, the
    seed and its index alone. Raises ConfigError, before the first, where a setting is not known or not right.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(SampleSettings), settings)
        typed = cast(SampleSettings, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        cause = error.__cause__ if isinstance(error.__cause__, ConfigError) else error
        raise ConfigError(f"sample.{error.full_key}: {str(cause).splitlines()[0]}") from None
    ingested = trained.folder / "ingest"
    corpus = Corpus.open(ingested) if ingested.is_dir() else None
    primes = parse_primes(trained.domain, typed, trained.loaded.alphabet, corpus)
    training = Training.of(trained.domain, corpus)
    drawing = Drawing(trained.loaded, trained.domain, typed, seed, primes or ("",), training)
    drawing.cells  # noqa: B018  what is wrong is told now, not with the first sample
    return drawing.samples()
