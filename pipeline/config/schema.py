"""Every setting, typed, with a sentence each; and the building of what a `_target_` names.

`conf/config.yaml` shows how they compose. Values are checked before the first stage runs.
"""

import dataclasses
import difflib
import importlib
import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.config.checks import between, one_of
from pipeline.config.sampling import SampleSettings, ScoreSettings
from pipeline.errors import ConfigError

STAGES = ("ingest", "train", "sample", "postprocess", "score", "report")
USUAL_STAGES = tuple(name for name in STAGES if name != "score")


@dataclass
class SplitSettings:
    """How held-out data is chosen."""

    by: str = "auto"
    """records (whole, near-copies in one subset), blocks (spread over few long records), or auto: the split
    that the data brings, else whichever fits."""
    validation: float = 0.05
    """Share of the symbols that chooses the model."""
    test: float = 0.05
    """Share of the symbols that is measured once, at the end."""
    gap: int = 200
    """Symbols dropped from training on each side of a held-out block."""
    seed: int | None = None
    """Which records, or where the blocks, are held out; None: as the data brings it, else as 0. The run's
    `seed` has no part in it, so that runs that differ in it share their test data."""
    file: str | None = None
    """Instead of all of the above, a table of record, start, end (from 0, half-open) and subset."""

    def __post_init__(self) -> None:
        one_of("dataset.split.by", self.by, ("auto", "records", "blocks"))
        between("dataset.split.validation", self.validation, 0.0, 0.5, open_ends=True)
        between("dataset.split.test", self.test, 0.0, 0.5, open_ends=True)
        between("dataset.split.gap", self.gap, 0, 2**31)
        if self.seed is not None:
            between("dataset.split.seed", self.seed, 0, 2**32 - 1)


@dataclass
class DatasetSettings:
    """Where the data comes from."""

    name: str = "???"
    about: str = ""
    """One line for people who list the data sets."""
    title: str | None = None
    """The name of the data in the report; by default the organism, book or file that `path` names."""
    path: str | None = None
    """A file, folder or glob of yours, instead of the source."""
    source: str | None = None
    """One of `sources`."""
    sources: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """Named lists of files: `at` (embedded:, package: or https://) with `sha256` or `checksums`."""
    advice: str | None = None
    """Added to an error about the source's own files, such as which data set has what they lack."""
    pretrained: dict[str, str] | None = None
    """The checkpoint of `checkpoint=pretrained`: `at` and `sha256`, as of a source; `held_out`: a list of the
    records that it has not learned, which are held out by default."""
    unknown: str = "error"
    """A symbol outside a domain's fixed alphabet: error, drop, or replace (by the unknown symbol)."""
    split: SplitSettings = field(default_factory=SplitSettings)

    def __post_init__(self) -> None:
        one_of("dataset.unknown", self.unknown, ("error", "drop", "replace"))


@dataclass
class TrainSettings:
    """How the model is trained."""

    max_epochs: int = 20
    """Passes over the training split; early stopping or `budget` may end sooner."""
    batch_size: int = 32
    """Streams in a batch; fewer where the corpus is small."""
    bptt_steps: int = 64
    """Symbols of each stream in a training step: the length of truncated back-propagation through time."""
    lr: float = 5e-3
    """Highest learning rate, after a short warm-up; then it falls along a cosine to a hundredth."""
    find_lr: bool = False
    """Find the highest learning rate by a short trial instead; its curve is shown in the report."""
    init_from: str | None = None
    """A checkpoint to begin with, whose kind of model and sizes are taken: a .ckpt, or pretrained."""
    weight_decay: float = 0.01
    """How strongly weights, not biases, are pulled towards zero."""
    gradient_clip_val: float = 1.0
    """Gradients with a larger norm are scaled down to it."""
    ema_decay: float = 0.0
    """Decay of an exponential moving average (EMA) of the weights, such as 0.995. The average is validated
    and saved; 0 saves the weights themselves."""
    patience: int = 12
    """Validations, of at most 40 in all, without a gain before training ends early; 0 never."""
    reverse_complement: bool = True
    """Learn reverse complements too, where the domain has a complement: each epoch reads every piece one way
    or the other."""
    previews: list[str] = field(default_factory=lambda: [""])
    """Starts that the model continues now and then while it learns, shown in the report and TensorBoard."""
    accelerator: str = "auto"
    """auto, cpu, gpu (CUDA) or mps."""
    threads: int | None = None
    """CPU threads; by default one or as many as there are cores, whichever a short trial finds faster."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "batch_size", "bptt_steps"):
            between(f"train.{name}", getattr(self, name), 1, 2**31)
        between("train.lr", self.lr, 0.0, 10.0, open_ends=True)
        between("train.weight_decay", self.weight_decay, 0.0, 10.0)
        between("train.gradient_clip_val", self.gradient_clip_val, 0.0, 1e9, open_ends=True)
        between("train.ema_decay", self.ema_decay, 0.0, 0.9999)
        between("train.patience", self.patience, 0, 2**31)
        one_of("train.accelerator", self.accelerator, ("auto", "cpu", "gpu", "mps"))
        if self.threads is not None:
            between("train.threads", self.threads, 1, 1024)


@dataclass
class Config:
    """The whole page; groups without a type here are built by `build`, whose constructor is the schema."""

    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    domain: Any = None
    model: Any = None
    train: TrainSettings = field(default_factory=TrainSettings)
    sample: SampleSettings = field(default_factory=SampleSettings)
    score: ScoreSettings = field(default_factory=ScoreSettings)
    render: Any = None
    blast: Any = None
    budget: str | None = None
    """Training time such as 90s or 10m, instead of all epochs; a short trial then chooses what is not given
    of the model's size, the batch and the time steps."""
    checkpoint: str | None = None
    """A checkpoint to use instead of training; pretrained: the one that comes with the data set."""
    seed: int = 0
    run: str | None = None
    """A run folder to go on with."""
    stages: list[str] = field(default_factory=lambda: list(USUAL_STAGES))

    def __post_init__(self) -> None:
        between("seed", self.seed, 0, 2**32 - 1)


def build(node: Any, where: str, package: str = "pipeline") -> Any:
    """The object that a `_target_` node names, with the node's other keys as its fields.

    Targets are dataclasses of `package`: a configuration or a checkpoint can choose among our own kinds,
    never import anything else. None for an absent node or target. Raises ConfigError on an unknown
    target, an unknown key (with the nearest right one), a value of the wrong type or out of range.
    """
    values = OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node
    if not values or values.get("_target_") is None:
        return None
    target = find_target(str(values["_target_"]), where, package)
    fields = {name: value for name, value in values.items() if name != "_target_"}
    names = [f.name for f in dataclasses.fields(target)]
    for name in fields:
        if name not in names:
            raise ConfigError(unknown_key(f"{where}.{name}", [f"{where}.{known}" for known in names]))
    try:
        typed = OmegaConf.merge(OmegaConf.structured(target), escape(fields))
        return OmegaConf.to_object(typed)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}.{error.full_key}: {str(error).splitlines()[0]}") from None


def escape(value: Any) -> Any:
    """Plain data with ``${`` in every text escaped: OmegaConf then evaluates nothing."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, Mapping):
        return {key: escape(each) for key, each in value.items()}
    return [escape(each) for each in value] if isinstance(value, list | tuple) else value


def plain_settings(node: Any) -> Any:
    """A configuration node as plain, JSON-ready data."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


_OTHER_NAMES = {
    "sample.length": ("bars", "measures", "max_length", "max_tokens", "max_new_tokens"),
    "sample.count": ("number", "num_samples", "n_samples", "num_return_sequences"),
    "sample.prime": ("prompt", "start_text"),
    "domain.dance": ("form", "style", "genre", "tune_type"),
    "domain.meter": ("time_signature",),
    "train.max_epochs": ("epochs", "num_epochs"),
    "train.lr": ("learning_rate",),
    "train.accelerator": ("device",),
}
"""Settings by words that other programs, or players, use for them."""
RENAMED = {
    "dataset.regions": "domain.regions",
    "dataset.features": "domain.features",
    "dataset.annotation": "domain.annotation",
    "dataset.contig_map": "domain.contig_map",
    "score.regions": "domain.score_regions",
    "train.time": "train.bptt_steps",
    "train.batch": "train.batch_size",
    "train.clip": "train.gradient_clip_val",
    "train.average": "train.ema_decay",
    "train.start": "train.init_from",
    "sample.typical": "sample.typical_p",
    "sample.copying": "sample.copy_weight",
}
"""Settings of earlier versions, with the names that replace them."""


def unknown_key(key: str, known: Iterable[str]) -> str:
    """A message for a key that does not exist, naming the nearest that do.

    >>> unknown_key("sample.bars", ["sample.beam", "sample.length"])
    'sample.bars: there is no such setting; did you mean sample.length?'
    """
    known = list(known)
    if (renamed := RENAMED.get(key)) in known:
        return f"{key}: there is no such setting; it is now named {renamed}"
    tail = key.rsplit(".", 1)[-1]
    meant = [name for name, words in _OTHER_NAMES.items() if tail in words and name in known]
    # The right name in the wrong group is the likeliest mistake, where it is not in many.
    named = [each for each in known if each.rsplit(".", 1)[-1] == tail]
    if len(named) != 1:
        named = difflib.get_close_matches(key, known, n=3, cutoff=0.6) or named[:3]
    near = meant or named
    hint = f"did you mean {' or '.join(near)}?" if near else "see --help for all settings"
    return f"{key}: there is no such setting; {hint}"


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``10m`` or ``1.5h``; ConfigError on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h)?", str(text).strip())
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"] if match else 0.0
    if seconds <= 0:
        raise ConfigError(f"budget={text!r} is not a time above zero; write for example 90s, 10m or 2h")
    return seconds


def check_stages(stages: Iterable[str]) -> tuple[str, ...]:
    """The stages in their order; ConfigError on an unknown name or none."""
    chosen = list(stages)
    for name in chosen:
        one_of("stages", name, STAGES)
    if not chosen:
        raise ConfigError(f"stages=[] names none; choose from {', '.join(STAGES)}")
    return tuple(name for name in STAGES if name in chosen)


def find_target(target: str, where: str, package: str = "pipeline") -> type:
    """The dataclass that a `_target_` names. Raises ConfigError where `package` has none of that name."""
    module_name, _, name = target.rpartition(".")
    try:
        if not module_name.startswith(package + ".") or not module_name.replace(".", "").isidentifier():
            raise ImportError
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ConfigError(f"{where}._target_={target!r} is not a kind that this pipeline has ({package}.…)")
    return found


PRETRAINED = "pretrained"
"""Instead of a checkpoint's path: the one that comes with the data set."""
