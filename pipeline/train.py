"""The second stage: a corpus to a checkpoint, with its bits per symbol beside those of a Markov model."""

import csv
import logging
from pathlib import Path

import torch

from pipeline.baseline import evaluate_markov, fit_markov
from pipeline.checkpoint import Loaded, load
from pipeline.config import build
from pipeline.domain import Exhibit
from pipeline.errors import DataError
from pipeline.evaluate import Tally, evaluate
from pipeline.fit import TrainInputs, device_of, fit
from pipeline.nulls import Markov
from pipeline.plots import learning_curves
from pipeline.stages import StageResult

log = logging.getLogger(__name__)


def train(inputs: TrainInputs, out_dir: Path) -> StageResult:
    """Train (or go on, where `out_dir` has a ``last.ckpt``), keep the best, measure the test split.

    Writes best.ckpt, last.ckpt, metrics.csv, TensorBoard events, learning_curves.svg, scores.tsv.
    Raises DataError where the loss is not finite, or a given checkpoint is of another alphabet.
    """
    torch.set_num_threads(inputs.settings.threads or torch.get_num_threads())
    size = _size_line(inputs)
    log.info("%s", size)
    if inputs.checkpoint is None:
        fit(inputs, out_dir)
    else:
        _adopt(inputs, out_dir)
    chosen = load(out_dir / "best.ckpt")
    log.info("Fitting Markov models to compare with")
    markov = fit_markov(inputs.corpus, inputs.domain)
    tally = evaluate(chosen.model, inputs.corpus, "test", device_of(inputs.settings))
    return _result(inputs, out_dir, chosen, tally, markov, size)


def _adopt(inputs: TrainInputs, out_dir: Path) -> None:
    """Take a given checkpoint instead of training one."""
    loaded = load(inputs.checkpoint)
    if loaded.alphabet != inputs.corpus.alphabet:
        raise DataError(
            f"{inputs.checkpoint}: its alphabet ({loaded.alphabet}) is not the data's "
            f"({inputs.corpus.alphabet}); use the data set that it was trained on, or train anew"
        )
    (out_dir / "best.ckpt").write_bytes(inputs.checkpoint.read_bytes())


def _result(
    inputs: TrainInputs, out_dir: Path, chosen: Loaded, tally: Tally, markov: Markov, size: str
) -> StageResult:
    unit = inputs.domain.symbol_name
    null = evaluate_markov(markov, inputs.corpus, "test")
    scores = out_dir / "scores.tsv"
    name = str(build(chosen.about["model"], "model"))
    rows = [(name, tally), (f"Markov order {markov.order}", null)]
    marks = list(tally.bits_by_mark)
    with scores.open("w", encoding="utf-8") as stream:
        stream.write("\t".join(["model", f"bits per {unit} (test)", *marks, "perplexity"]) + "\n")
        for label, each in rows:
            values = [each.bits, *each.bits_by_mark.values(), 2**each.bits]
            stream.write("\t".join([label, *(f"{value:.4f}" for value in values)]) + "\n")
    gain = null.bits - tally.bits
    if gain > 0.005:
        verdict = f"the network learned more than the best Markov model does (by {gain:.3f} bits)"
    else:
        verdict = f"the network is no better than the best Markov model ({-gain:+.3f} bits)"
    line = (
        f"{tally.bits:.3f} bits per {unit} on the test split, best Markov model (order {markov.order}) "
        f"{null.bits:.3f}: {verdict}"
    )
    exhibits = [Exhibit("Bits on the test split", (scores,), f"{line}. {size}")]
    if (out_dir / "metrics.csv").exists():
        baseline = {f"Markov order {markov.order} (test)": null.bits}
        curves = learning_curves(_metrics(out_dir), out_dir / "learning_curves.svg", unit, baseline)
        exhibits.append(Exhibit("Learning curves", (curves,)))
    return StageResult(
        summary=(line,),
        figures={
            "test_bits": tally.bits, "markov_bits": null.bits, "markov_order": markov.order, "model": name,
            "parameters": sum(p.numel() for p in chosen.model.parameters()),
            **{f"test_bits_{mark}": bits for mark, bits in tally.bits_by_mark.items()},
        },
        exhibits=tuple(exhibits),
    )  # fmt: skip


def _metrics(out_dir: Path) -> list[dict[str, float]]:
    with (out_dir / "metrics.csv").open(encoding="utf-8") as stream:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(stream)]


def _size_line(inputs: TrainInputs) -> str:
    model = build(inputs.model, "model")
    parameters = sum(p.numel() for p in model.build(len(inputs.corpus.alphabet)).parameters())
    symbols = inputs.corpus.size_of("train")
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
