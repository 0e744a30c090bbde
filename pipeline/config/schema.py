"""The general settings, typed and explained in a sentence each.

`conf/config.yaml` shows how they compose. Values are checked before the first stage runs. Domains, models and
renders declare their own settings (`pipeline/config/build.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.checks import check_choice, check_range
from pipeline.config.sampling import SampleSettings, ScoreSettings
from pipeline.errors import ConfigError

STAGES = ("ingest", "train", "sample", "postprocess", "score", "report")
DEFAULT_STAGES = tuple(name for name in STAGES if name != "score")


@dataclass
class SplitSettings:
    """How the corpus is split into training, validation and test data."""

    by: str = "auto"
    """records: whole records, near-copies in one subset. blocks: contiguous blocks of a few long records.
    auto: the split that comes with the data, else whichever of the two fits."""
    validation: float = 0.05
    """Share of the symbols for validation, which early stopping and the choice of the best epoch use."""
    test: float = 0.05
    """Share of the symbols for the test split, which is evaluated once, after training."""
    gap: int = 200
    """Symbols on each side of a held-out block that are left out of training."""
    seed: int | None = None
    """Seed of the random split. null: the split that comes with the data, else 0. The run's `seed` does not
    change the split, so that runs with different seeds share their test data."""
    file: str | None = None
    """A table that prescribes the split: record, start, end (from 0, half-open) and subset, separated by
    tabs. It replaces the other settings of the split."""

    def __post_init__(self) -> None:
        check_choice("dataset.split.by", self.by, ("auto", "records", "blocks"))
        check_range("dataset.split.validation", self.validation, 0.0, 0.5, open_ends=True)
        check_range("dataset.split.test", self.test, 0.0, 0.5, open_ends=True)
        check_range("dataset.split.gap", self.gap, 0, 2**31)
        if self.seed is not None:
            check_range("dataset.split.seed", self.seed, 0, 2**32 - 1)


@dataclass
class DatasetSettings:
    """Where the data comes from."""

    name: str = "???"
    """The name of the data set, which `dataset=NAME` chooses."""
    about: str = ""
    """A line about the data set for the list of data sets and the report."""
    title: str | None = None
    """The name of the data in the report; by default the organism, the book or the name of the file."""
    path: str | None = None
    """Your own file, folder or glob, read instead of `source`."""
    source: str | None = None
    """The entry of `sources` to read."""
    sources: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """Named lists of files. Each file has an address `at` (embedded:, package: or https://) and `sha256` or
    `checksums`."""
    advice: str | None = None
    """A hint that is added to errors about the files of the source, such as the data set that has the missing
    parts."""
    pretrained: dict[str, str] | None = None
    """The checkpoint of `checkpoint=pretrained`: `at` and `sha256` as in `sources`. `held_out` is a list of
    records that the checkpoint was not trained on; they are held out by default."""
    unknown: str = "error"
    """What happens to a symbol outside the fixed alphabet of a domain: error, drop, or replace (by the
    unknown symbol)."""
    split: SplitSettings = field(default_factory=SplitSettings)

    def __post_init__(self) -> None:
        check_choice("dataset.unknown", self.unknown, ("error", "drop", "replace"))


@dataclass
class TrainSettings:
    """How the model is trained."""

    max_epochs: int = 20
    """Passes over the training split, at most; early stopping or `budget` may end training sooner."""
    batch_size: int = 32
    """Sequences in a batch; a small corpus gets fewer."""
    bptt_steps: int = 64
    """Symbols of each sequence in a training step: the length of truncated back-propagation through time."""
    lr: float = 5e-3
    """Peak learning rate, reached after a short warm-up; it then decays along a cosine to a hundredth of
    it."""
    find_lr: bool = False
    """Find the peak learning rate by a learning-rate range test instead; the report shows its curve."""
    init_from: str | None = None
    """A checkpoint to start training from, a .ckpt file or pretrained. It determines the model and its
    sizes."""
    weight_decay: float = 0.01
    """Weight decay of AdamW; biases have none."""
    gradient_clip_val: float = 1.0
    """Gradients are scaled down to this norm where theirs is larger."""
    ema_decay: float = 0.0
    """Decay of an exponential moving average (EMA) of the weights, such as 0.995. The average is validated
    and saved; 0 saves the weights themselves."""
    patience: int = 12
    """Early stopping: training ends after so many validations without an improvement, of at most 40 in all; 0
    never stops early."""
    reverse_complement: bool = True
    """Train on reverse complements too, where the domain has a complement: each epoch reads each piece in one
    of the two directions, at random."""
    previews: list[str] = field(default_factory=lambda: [""])
    """Primes that the model continues from time to time during training; the report and TensorBoard show the
    samples."""
    accelerator: str = "auto"
    """The device for training: auto, cpu, gpu (CUDA) or mps."""
    threads: int | None = None
    """CPU threads; by default one thread or one per core, whichever a short timing finds faster."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "batch_size", "bptt_steps"):
            check_range(f"train.{name}", getattr(self, name), 1, 2**31)
        check_range("train.lr", self.lr, 0.0, 10.0, open_ends=True)
        check_range("train.weight_decay", self.weight_decay, 0.0, 10.0)
        check_range("train.gradient_clip_val", self.gradient_clip_val, 0.0, 1e9, open_ends=True)
        check_range("train.ema_decay", self.ema_decay, 0.0, 0.9999)
        check_range("train.patience", self.patience, 0, 2**31)
        check_choice("train.accelerator", self.accelerator, ("auto", "cpu", "gpu", "mps"))
        if self.threads is not None:
            check_range("train.threads", self.threads, 1, 1024)


@dataclass
class Config:
    """The settings of every run. The groups `domain`, `model` and `render` are declared by the classes that
    they name. A data set may add groups that name a `Render` (`composition.py`)."""

    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    domain: Any = None
    model: Any = None
    train: TrainSettings = field(default_factory=TrainSettings)
    sample: SampleSettings = field(default_factory=SampleSettings)
    score: ScoreSettings = field(default_factory=ScoreSettings)
    render: Any = None
    budget: str | None = None
    """Training time, such as 90s or 10m, instead of `train.max_epochs`. Autotuning then chooses the model's
    size, `train.batch_size` and `train.bptt_steps`, unless they are given."""
    checkpoint: str | None = None
    """A checkpoint to use instead of training, a .ckpt file or pretrained (the one that comes with the data
    set)."""
    seed: int = 0
    """Seed of all random numbers of training and sampling. The same settings and seed give the same
    samples."""
    run: str | None = None
    """A run folder to continue, with its settings; settings given now override them."""
    stages: list[str] = field(default_factory=lambda: list(DEFAULT_STAGES))
    """The stages to run, of ingest, train, sample, postprocess, score and report; a stage is skipped where
    its result is up to date."""

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**32 - 1)


def check_stages(stages: Iterable[str]) -> tuple[str, ...]:
    """Return the stages in their order; raise ConfigError for an unknown name, or for no stage."""
    chosen = list(stages)
    for name in chosen:
        check_choice("stages", name, STAGES)
    if not chosen:
        raise ConfigError(f"stages=[] names none; choose from {', '.join(STAGES)}")
    return tuple(name for name in STAGES if name in chosen)


PRETRAINED = "pretrained"
"""The value of `checkpoint` that means the checkpoint that comes with the data set."""
