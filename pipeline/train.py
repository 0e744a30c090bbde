"""The second stage: a corpus to a checkpoint, with its bits per symbol beside those of a Markov model."""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.advice import advise
from pipeline.baseline import evaluate_markov, fit_markov
from pipeline.checkpoint import Loaded, load
from pipeline.config import build
from pipeline.corpus import Corpus
from pipeline.domain import QUALITY, Exhibit
from pipeline.errors import DataError
from pipeline.evaluate import MOST_VALIDATED, Tally, evaluate
from pipeline.learning_rate import TABLE
from pipeline.nulls import Markov
from pipeline.plan import planned
from pipeline.plots import learning_curves, rate_search
from pipeline.previews import PREVIEWS, show_previews
from pipeline.stages import StageResult
from pipeline.train_inputs import TrainInputs, device_of

log = logging.getLogger(__name__)

THREADS = torch.get_num_threads()
"""What torch found when the program began: one thread a core."""
TELLING = 2_000
"""Test symbols, fewer of which tell no two models apart."""
NOTABLE_BITS = 0.005


def train(inputs: TrainInputs, out_dir: Path) -> StageResult:
    """Train (or go on, where `out_dir` has a ``last.ckpt``), keep the best, measure the test split.

    Writes best.ckpt, last.ckpt, metrics.csv, TensorBoard events, learning_curves.svg, scores.tsv.
    Raises DataError where the loss is not finite, or a given checkpoint is of another alphabet.
    """
    if inputs.checkpoint is None:
        inputs, notes = _learn(inputs, out_dir)
    else:
        torch.set_num_threads(inputs.settings.threads or THREADS)
        notes = _adopt(inputs, out_dir)
    chosen = load(out_dir / "best.ckpt")
    log.info("Fitting Markov models to compare with")
    markov = fit_markov(inputs.corpus, inputs.domain)
    tally = evaluate(chosen.model, inputs.corpus, "test", device_of(inputs.settings))
    return _result(inputs, out_dir, chosen, tally, markov, notes)


def _learn(inputs: TrainInputs, out_dir: Path) -> tuple[TrainInputs, list[str]]:
    """Train; the inputs as a trial, or the checkpoint to begin with, chose them, and what is to be said."""
    from pipeline.fit import fit  # late: Lightning takes seconds to load

    told = []
    if inputs.start is not None:
        begun = _fitting(inputs.start, inputs.corpus)
        explicit = None if inputs.explicit is None else (*inputs.explicit, "model.hidden_size")
        look = {"lookback": True} if "model.lookback" in (explicit or ()) and inputs.model["lookback"] else {}
        inputs = replace(inputs, model={**begun.about["model"], **look}, explicit=explicit)
        told = [f"begun from {inputs.start}", *_told(inputs.start, begun, inputs.corpus)]
    inputs = replace(inputs, model=_with_phrases(inputs))
    inputs, chosen_by_trial = planned(inputs, THREADS, out_dir)
    notes = [_size_line(inputs), *told, *filter(None, [chosen_by_trial])]
    for line in notes:
        log.info("%s", line)
    return inputs, [*notes, *filter(None, [fit(inputs, out_dir)])]


def _with_phrases(inputs: TrainInputs) -> Mapping[str, Any]:
    """The model's settings with what the domain calls a phrase, where the model asks for that."""
    if not inputs.model.get("lookback") or inputs.model.get("phrases"):
        return inputs.model
    phrases = inputs.domain.phrases(inputs.corpus.alphabet.symbols)
    plain = phrases and {**asdict(phrases), "roles": [*map(int, phrases.roles)]}
    return {**inputs.model, "phrases": plain}


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
            "set that it was trained on, or train anew"
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


def _result(
    inputs: TrainInputs, out_dir: Path, chosen: Loaded, tally: Tally, markov: Markov, notes: Sequence[str]
) -> StageResult:
    unit, corpus = inputs.domain.symbol_name, inputs.corpus
    null = evaluate_markov(markov, corpus, "test")
    name, markov_name = str(build(chosen.about["model"], "model")), _markov_name(markov)
    scores = _write_scores({name: tally, markov_name: null}, unit, out_dir / "scores.tsv")
    best = f"best Markov model ({markov_name.removeprefix('Markov ')}) {null.bits:.3f}"
    line = f"{tally.bits:.3f} bits per {unit} on the test split, {best}: {_verdict(tally, null)}"
    units = sum(inputs.domain.count_units(record.symbols) for record in corpus.records("test", inputs.domain))
    per_unit = {f"test_bits_per_{inputs.domain.larger_unit}": tally.total_bits / units} if units else {}
    if units and inputs.domain.larger_unit != unit:
        line += f"; {tally.total_bits / units:.3f} bits per {inputs.domain.larger_unit}"
    exhibits = [Exhibit("Bits on the test split", (scores,), ". ".join([line, *notes]), part=QUALITY)]
    if (out_dir / "metrics.csv").exists():
        validated = evaluate_markov(markov, corpus, "validation", MOST_VALIDATED).bits
        exhibits += _how_it_learned(inputs, out_dir, {f"{markov_name} (validation)": validated})
        notes = [*notes, *filter(None, [exhibits[1].caption])]
    return StageResult(
        summary=(line, *notes[1:]),
        figures={
            "test_bits": tally.bits, "markov_bits": null.bits, "markov_order": markov.order, "model": name,
            "parameters": sum(p.numel() for p in chosen.model.parameters()),
            **per_unit, **{f"test_bits_{mark}": bits for mark, bits in tally.bits_by_mark.items()},
        },
        exhibits=tuple(exhibits),
    )  # fmt: skip


def _how_it_learned(inputs: TrainInputs, out_dir: Path, baseline: Mapping[str, float]) -> list[Exhibit]:
    """The learning curves with advice, what the model wrote meanwhile, the search of the learning rate."""
    unit, rows = inputs.domain.symbol_name, _rows(out_dir / "metrics.csv")
    symbols_per_step = inputs.settings.batch * inputs.settings.time
    advice = advise(rows, symbols_per_step / inputs.corpus.size_of("train"))
    curves = learning_curves(rows, out_dir / "learning_curves.svg", unit, baseline)
    exhibits = [Exhibit("Learning curves", (curves,), advice or "")]
    if previews := show_previews(out_dir / PREVIEWS):
        shown = out_dir / "previews.txt"
        shown.write_text(previews, encoding="utf-8")
        exhibits.append(Exhibit("What it wrote while learning", (shown,), "With the same random numbers."))
    if (out_dir / TABLE).exists():
        path = out_dir / "learning_rate_search.svg"
        search = rate_search(_rows(out_dir / TABLE), inputs.settings.lr, path, unit)
        exhibits.append(Exhibit("Search of the learning rate", (search,)))
    return exhibits


def _markov_name(markov: Markov) -> str:
    """Its order, and how much of the data it was fitted to where that was not all."""
    part = f", fitted to {markov.share:.0%} of the data" if markov.share < 1 else ""
    return f"Markov order {markov.order}{part}"


def _verdict(tally: Tally, null: Tally) -> str:
    """In words, whether the network learned what no Markov model does."""
    gain = null.bits - tally.bits
    if tally.counts.sum() < TELLING:
        return f"the test split has only {tally.counts.sum():,} symbols, too few to tell"
    if gain > NOTABLE_BITS:
        return f"the network learned more than the best Markov model (by {gain:.3f} bits)"
    if gain < -NOTABLE_BITS:
        return f"the network is worse than the best Markov model (by {-gain:.3f} bits)"
    return "the network is no better than the best Markov model"


def _write_scores(tallies: Mapping[str, Tally], unit: str, path: Path) -> Path:
    marks = next(list(tally.bits_by_mark) for tally in tallies.values())
    # Where all symbols have one mark, or none, its column would only repeat the total.
    marks = marks if len(marks) > 1 else []
    with path.open("w", encoding="utf-8") as stream:
        stream.write("\t".join(["model", f"bits per {unit} (test)", *marks, "perplexity"]) + "\n")
        for label, tally in tallies.items():
            values = [tally.bits, *(tally.bits_by_mark[mark] for mark in marks), 2**tally.bits]
            stream.write("\t".join([label, *(f"{value:.4f}" for value in values)]) + "\n")
    return path


def _rows(path: Path) -> list[dict[str, float]]:
    """Rows of numbers, of a .csv or .tsv file."""
    with path.open(encoding="utf-8") as stream:
        rows = csv.DictReader(stream, delimiter="," if path.suffix == ".csv" else "\t")
        return [{k: float(v) for k, v in row.items() if v} for row in rows]


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
