"""Use as a library: load a trained model and sample sequences from it."""

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
from pipeline.generation.attributes import AttributeStatistics
from pipeline.generation.prompts import parse_primes
from pipeline.generation.sampling_run import SamplingRun
from pipeline.models import checkpoint
from pipeline.models.checkpoint import Loaded
from pipeline.records import Sample
from pipeline.runtime.manifest import read_manifest


@dataclass(frozen=True)
class Trained:
    """A trained model with its alphabet and the domain of its sequences.

    Attributes
    ----------
    loaded : Loaded
        The model, its alphabet and its description, from the checkpoint.
    domain : Domain
        The domain, with the settings of the run.
    folder : Path
        The run folder.
    """

    loaded: Loaded
    domain: Domain
    folder: Path


def load(run: str | Path) -> Trained:
    """Load the model of a run folder.

    Parameters
    ----------
    run : str | Path
        A run folder in which a model was trained, such as ``outputs/folk/2026-01-31_12-00-00``.

    Returns
    -------
    Trained
        The model with its domain.

    Raises
    ------
    DataError
        Where the folder is not a run folder, or no model was trained in it.

    Examples
    --------
    >>> from pipeline import load
    >>> trained = load("outputs/folk/2026-01-31_12-00-00")  # doctest: +SKIP
    """
    folder = Path(run).expanduser()
    manifest = read_manifest(folder)
    if manifest is None:
        raise DataError(f"{folder.resolve()}: not a run folder; name one that has a manifest.json")
    domain = build(manifest["config"]["domain"], "domain")
    return Trained(checkpoint.load(folder / "train" / "best.ckpt"), domain, folder)


def generate(trained: Trained, seed: int = 0, **settings: Any) -> Iterator[Sample]:
    """Sample sequences from a trained model.

    Each sample depends only on the checkpoint, the settings, the seed and its own index.

    Parameters
    ----------
    trained : Trained
        The result of `load`.
    seed : int
        Seed of the random numbers.
    **settings : Any
        Settings of the group ``sample``, such as ``count``, ``length`` (symbols), ``temperature`` or
        ``prime``.

    Returns
    -------
    Iterator[Sample]
        The samples, one at a time, with symbols, log-probability (nats), bits per symbol and seed.

    Raises
    ------
    ConfigError
        Before the first sample, where a setting is unknown, out of range, or in conflict with another one.

    Examples
    --------
    >>> from pipeline import generate, load
    >>> trained = load("outputs/folk/2026-01-31_12-00-00")  # doctest: +SKIP
    >>> for sample in generate(trained, count=3, temperature=0.9):  # doctest: +SKIP
    ...     print(sample.text, sample.bits_per_symbol)
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
    training = AttributeStatistics.count(trained.domain, corpus)
    drawing = SamplingRun(trained.loaded, trained.domain, typed, seed, primes or ("",), training)
    drawing.requests  # noqa: B018  raises errors now, not with the first sample
    return drawing.samples()
