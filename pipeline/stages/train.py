"""The stage `train`: from a corpus to a checkpoint, evaluated on the test split together with baselines.

`train_result.py` writes the tables and conclusions.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.config.build import build
from pipeline.config.checks import parse_duration
from pipeline.data.corpus import Corpus
from pipeline.errors import DataError
from pipeline.evaluation.bits import evaluate
from pipeline.evaluation.markov_baseline import measure_baselines
from pipeline.models.checkpoint import Loaded, describe, load, save
from pipeline.records import StageResult
from pipeline.run_folder.stage import Stage
from pipeline.stages.run_inputs import RunInputs
from pipeline.stages.train_result import Measured, summarise
from pipeline.training.autotune import autotune
from pipeline.training.inputs import TrainInputs, resolve_device

log = logging.getLogger(__name__)

MACHINE_SETTINGS = ("threads", "accelerator")
THREADS = torch.get_num_threads()
"""Threads of torch when the program starts: one per core."""


def build_train(run: RunInputs) -> Stage:
    """Bind the settings of a run to the stage `train`."""
    budget, seed = run.settings.budget, run.settings.seed
    budget_s = parse_duration(budget) if budget is not None else None
    checkpoint, start = run.checkpoint, run.init_from

    def action(out_dir: Path) -> StageResult:
        inputs = TrainInputs(
            run.open_corpus(), run.domain, run.plain["model"], run.settings.train, budget_s, checkpoint, seed,
            run.explicit, start,
        )  # fmt: skip
        return train(inputs, out_dir)

    # The device and the number of threads change the speed of training, not its result.
    training = {name: run.plain["train"][name] for name in run.plain["train"] if name not in MACHINE_SETTINGS}
    settings = {"model": run.plain["model"], "train": training, "budget": budget, "seed": seed}
    if budget is not None:
        settings["explicit"] = run.explicit
    checkpoints = [path for path in (checkpoint, start) if path]
    return Stage("train", settings, action, ("ingest",), checkpoints, keeps_partial=True)


def train(inputs: TrainInputs, out_dir: Path) -> StageResult:
    """Train a model, or resume from ``last.ckpt`` in `out_dir`, keep the best weights, evaluate the test
    split.

    Writes best.ckpt, last.ckpt, metrics.csv, TensorBoard events, learning_curves.svg, scores.tsv,
    differences.tsv, blocks.tsv.
    Raises DataError where the loss is not finite, or where a given checkpoint has another alphabet.
    """
    if inputs.checkpoint is None:
        inputs, notes = _fit(inputs, out_dir)
    else:
        torch.set_num_threads(inputs.settings.threads or THREADS)
        notes = _copy_checkpoint(inputs, inputs.checkpoint, out_dir)
    chosen = load(out_dir / "best.ckpt")
    log.info("Fitting baselines to compare with")
    baselines = measure_baselines(inputs.corpus, inputs.domain)
    tally = evaluate(chosen.model, inputs.corpus, "test", resolve_device(inputs.settings))
    return summarise(inputs, out_dir, Measured(chosen, tally, baselines), notes)


def _fit(inputs: TrainInputs, out_dir: Path) -> tuple[TrainInputs, list[str]]:
    """Train a model; return the inputs with the settings that were chosen, and lines for the user."""
    from pipeline.training.trainer import fit  # late: Lightning takes seconds to import

    notes = []
    if inputs.start is not None:
        start = _load_fitting(inputs.start, inputs.corpus)
        notes = [f"trained from {inputs.start}", *_overlap_notes(inputs.start, start, inputs.corpus)]
        explicit = None if inputs.explicit is None else (*inputs.explicit, "model.hidden_size")
        look = {"lookback": True} if "model.lookback" in (explicit or ()) and inputs.model["lookback"] else {}
        inputs = replace(inputs, model={**start.about["model"], **look}, explicit=explicit)
    inputs = replace(inputs, model=_with_segments(inputs))
    if not _has_parameters(inputs):
        return inputs, [*_fit_by_counting(inputs, out_dir), *notes]
    inputs, autotuned = autotune(inputs, THREADS, out_dir)
    notes = [_size_line(inputs), *notes, *filter(None, [autotuned])]
    for line in notes:
        log.info("%s", line)
    return inputs, [*notes, *filter(None, [fit(inputs, out_dir)])]


def _has_parameters(inputs: TrainInputs) -> bool:
    """Whether the model has parameters that gradient descent can train."""
    model = build(inputs.model, "model").build(len(inputs.corpus.alphabet))
    return any(True for _ in model.parameters())


def _fit_by_counting(inputs: TrainInputs, out_dir: Path) -> list[str]:
    """Fit a model without parameters, which only reads the corpus; return lines for the user."""
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


def _copy_checkpoint(inputs: TrainInputs, path: Path, out_dir: Path) -> list[str]:
    """Use a given checkpoint instead of training; return lines for the user."""
    loaded = _load_fitting(path, inputs.corpus)
    (out_dir / "best.ckpt").write_bytes(path.read_bytes())
    parameters = sum(p.numel() for p in loaded.model.parameters())
    kind = build(loaded.about["model"], "model")
    return [f"{kind}: {parameters:,} parameters, from {path}", *_overlap_notes(path, loaded, inputs.corpus)]


def _load_fitting(path: Path, corpus: Corpus) -> Loaded:
    """Load a given checkpoint; raise DataError where it has another alphabet than the corpus."""
    loaded = load(path)
    if loaded.alphabet != corpus.alphabet:
        raise DataError(
            f"{path}: its alphabet ({loaded.alphabet}) is not the data's ({corpus.alphabet}); use the data "
            "set that it was trained on, or train a model on this one"
        )
    return loaded


def _overlap_notes(path: Path, loaded: Loaded, corpus: Corpus) -> list[str]:
    """A warning where a checkpoint may have been trained on the data that is held out here."""
    if (loaded.about.get("held_out") or "") in (corpus.held_out, corpus.digest("test")):
        return []
    return [
        f"{path.name} was trained on other data or another split, and may have seen the held-out data: "
        "its bits per symbol may be too low"
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
