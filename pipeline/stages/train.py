"""The second stage: a corpus to a checkpoint, with its bits per symbol compared with those of baselines.

What is said of it is in `pipeline/stages/train_result.py`.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.config.build import build
from pipeline.data.corpus import Corpus
from pipeline.errors import DataError
from pipeline.evaluation.bits import evaluate
from pipeline.evaluation.markov_baseline import measure_baselines
from pipeline.models.checkpoint import Loaded, describe, load, save
from pipeline.records import StageResult
from pipeline.stages.train_result import Measured, summarise
from pipeline.training.autotune import autotune
from pipeline.training.inputs import TrainInputs, resolve_device

log = logging.getLogger(__name__)

THREADS = torch.get_num_threads()
"""What torch found when the program began: one thread a core."""


def train(inputs: TrainInputs, out_dir: Path) -> StageResult:
    """Train (or go on, where `out_dir` has a ``last.ckpt``), keep the best, measure the test split.

    Writes best.ckpt, last.ckpt, metrics.csv, TensorBoard events, learning_curves.svg, scores.tsv,
    differences.tsv, blocks.tsv.
    Raises DataError where the loss is not finite, or a given checkpoint is of another alphabet.
    """
    if inputs.checkpoint is None:
        inputs, notes = _learn(inputs, out_dir)
    else:
        torch.set_num_threads(inputs.settings.threads or THREADS)
        notes = _adopt(inputs, out_dir)
    chosen = load(out_dir / "best.ckpt")
    log.info("Fitting baselines to compare with")
    baselines = measure_baselines(inputs.corpus, inputs.domain)
    tally = evaluate(chosen.model, inputs.corpus, "test", resolve_device(inputs.settings))
    return summarise(inputs, out_dir, Measured(chosen, tally, baselines), notes)


def _learn(inputs: TrainInputs, out_dir: Path) -> tuple[TrainInputs, list[str]]:
    """Train; the inputs as a trial, or the checkpoint to begin with, chose them, and what is to be said."""
    from pipeline.training.trainer import fit  # late: Lightning takes seconds to load

    told = []
    if inputs.start is not None:
        begun = _fitting(inputs.start, inputs.corpus)
        explicit = None if inputs.explicit is None else (*inputs.explicit, "model.hidden_size")
        look = {"lookback": True} if "model.lookback" in (explicit or ()) and inputs.model["lookback"] else {}
        inputs = replace(inputs, model={**begun.about["model"], **look}, explicit=explicit)
        told = [f"begun from {inputs.start}", *_told(inputs.start, begun, inputs.corpus)]
    inputs = replace(inputs, model=_with_segments(inputs))
    if not _has_parameters(inputs):
        return inputs, [*_count(inputs, out_dir), *told]
    inputs, chosen_by_trial = autotune(inputs, THREADS, out_dir)
    notes = [_size_line(inputs), *told, *filter(None, [chosen_by_trial])]
    for line in notes:
        log.info("%s", line)
    return inputs, [*notes, *filter(None, [fit(inputs, out_dir)])]


def _has_parameters(inputs: TrainInputs) -> bool:
    """Whether there is something to be learned by gradient descent."""
    model = build(inputs.model, "model").build(len(inputs.corpus.alphabet))
    return any(True for _ in model.parameters())


def _count(inputs: TrainInputs, out_dir: Path) -> list[str]:
    """A model without parameters is ready once it has read the corpus; a line about it."""
    corpus, domain = inputs.corpus, inputs.domain
    settings = build(inputs.model, "model")
    model = settings.build(len(corpus.alphabet))
    model.prepare(corpus, corpus.complement_codes(domain), out_dir)
    held_out = corpus.digest("test")
    about = describe(inputs.model, corpus.alphabet, symbol_name=domain.symbol_name, held_out=held_out)
    save(out_dir / "best.ckpt", model, about)
    return [f"{settings}: fitted by counting {corpus.subset_size('train'):,} training {domain.symbol_name}s"]


def _with_segments(inputs: TrainInputs) -> Mapping[str, Any]:
    """The model's settings with the segments of the domain, where the model has lookback features."""
    if not inputs.model.get("lookback") or inputs.model.get("segments"):
        return inputs.model
    segments = inputs.domain.segments(inputs.corpus.alphabet.symbols)
    plain = segments and {**asdict(segments), "roles": [*map(int, segments.roles)]}
    return {**inputs.model, "segments": plain}


def _adopt(inputs: TrainInputs, out_dir: Path) -> list[str]:
    """Take a given checkpoint instead of training one; what it is, and how far its figures go."""
    path = inputs.checkpoint
    loaded = _fitting(path, inputs.corpus)
    (out_dir / "best.ckpt").write_bytes(path.read_bytes())
    parameters = sum(p.numel() for p in loaded.model.parameters())
    kind = build(loaded.about["model"], "model")
    return [f"{kind}: {parameters:,} parameters, from {path}", *_told(path, loaded, inputs.corpus)]


def _fitting(path: Path, corpus: Corpus) -> Loaded:
    """A given checkpoint. Raises DataError where it is of another alphabet."""
    loaded = load(path)
    if loaded.alphabet != corpus.alphabet:
        raise DataError(
            f"{path}: its alphabet ({loaded.alphabet}) is not the data's ({corpus.alphabet}); use the data "
            "set that it was trained on, or train again"
        )
    return loaded


def _told(path: Path, loaded: Loaded, corpus: Corpus) -> list[str]:
    """What is to be said of a checkpoint that may know what is held out here."""
    if (loaded.about.get("held_out") or "") in (corpus.held_out, corpus.digest("test")):
        return []
    return [
        f"{path.name} was trained on other data or another split: it may have learned what is held out here, "
        "so that its bits say little"
    ]


def _size_line(inputs: TrainInputs) -> str:
    model = build(inputs.model, "model")
    parameters = sum(p.numel() for p in model.build(len(inputs.corpus.alphabet)).parameters())
    symbols = inputs.corpus.subset_size("train")
    ratio = parameters / symbols
    advice = "of one order, as the rule of thumb asks"
    if ratio > 10:
        advice = "far more parameters than data: expect overfitting; a smaller model or more data helps"
    elif ratio < 0.1:
        advice = "far more data than parameters: a larger model may learn more, given time"
    return (
        f"{model}: {parameters:,} parameters against {symbols:,} training {inputs.domain.symbol_name}s "
        f"({advice})"
    )
