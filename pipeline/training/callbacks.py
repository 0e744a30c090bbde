"""Callbacks of a training: TensorBoard's graph and histograms, and samples generated during training.

Their cost is bounded. Histograms take some values of each tensor. Samples are so rare that they take a few
hundredths of the training. Their steps are counted, not clocked, so that the same seed gives the same files.
"""

import json
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from pipeline.data.alphabet import BOS, Alphabet
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.generation.engine import BLOCK, draw
from pipeline.generation.request import Request
from pipeline.models.model import Model
from pipeline.records import Symbols
from pipeline.training.lit_module import LitModel
from pipeline.training.previews import read_previews

log = logging.getLogger(__name__)

LENGTH = 160
"""Symbols of a preview after its prime."""
SYMBOL_COST = 2.0
"""The cost of one sampled symbol, in symbols of training."""
MAX_SHARE = 0.03
"""The share of the training that previews may take. The last round has one in any case."""
MAX_VALUES = 5_000
"""Values of a tensor, evenly spread, that its histogram counts; counting all would delay large models."""


def parse_primes(texts: Sequence[str], domain: Domain, alphabet: Alphabet) -> dict[str, Symbols]:
    """The symbols of each starting text. Raises ConfigError where one is not in the alphabet."""
    primes = {text: domain.parse_prime(text) if text else "" for text in texts}
    for text, prime in primes.items():
        for symbol in prime:
            if symbol not in alphabet:
                raise ConfigError(
                    f"train.previews: symbol {symbol!r} of {text!r} is not among the model's symbols, "
                    f"{alphabet}; leave it out or replace it"
                )
    return primes


class TensorBoardCallback(Callback):
    """Writes the model's graph, and histograms of its weights and gradients, to TensorBoard.

    A training that resumes has its graph already (`resumed`).
    """

    def __init__(self, resumed: bool) -> None:
        self.resumed = resumed

    def on_fit_start(self, trainer: pl.Trainer, module: LitModel) -> None:
        """Write the model's graph, once."""
        if self.resumed:
            return
        model, codes = deepcopy(module.model).cpu().eval(), torch.full((1, 2), BOS)
        for board in _boards(trainer):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    board.add_graph(model, codes)
            except (RuntimeError, TypeError, ValueError) as error:
                log.debug("no graph for TensorBoard: %s", error)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: LitModel, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """At the end of a round, write histograms of the weights and of their last gradients, by layer."""
        if batch_idx + 1 < len(module.windows):
            return
        for board in _boards(trainer):
            for name, parameter in module.model.named_parameters():
                for kind, values in (("weights", parameter), ("gradients", parameter.grad)):
                    if values is not None and len(shown := _subsample(values)):
                        board.add_histogram(f"{kind}/{name}", shown, trainer.global_step)


class PreviewCallback(Callback):
    """Generates samples during training, for TensorBoard and `path`.

    The file has one JSON line per sample: step, validation_bits, prime, text. Lines after `first_step`, of an
    interrupted training, are dropped: the resumed training writes them again.
    """

    def __init__(
        self, primes: dict[str, Symbols], alphabet: Alphabet, domain: Domain, path: Path, first_step: int
    ) -> None:
        self.primes, self.alphabet, self.domain, self.path = primes, alphabet, domain, path
        kept = [each for each in read_previews(path) if each["step"] <= first_step]
        path.write_text("".join(map(_to_json_line, kept)), encoding="utf-8")

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: LitModel) -> None:
        """Generate the samples of this round, if it is due."""
        if not self.primes or (trainer.current_epoch + 1) % self._interval(module):
            return
        # This hook runs before the module's, while the model still has its averaged weights.
        model, bits = deepcopy(module.model).cpu().eval(), module.validation_bits
        if not math.isfinite(bits):
            return
        with self.path.open("a", encoding="utf-8") as stream:
            for prime, text in self._generate(model, module.windows.seed):
                row = {"step": trainer.global_step, "validation_bits": bits, "prime": prime, "text": text}
                stream.write(_to_json_line(row))
                for board in _boards(trainer):
                    board.add_text(f"previews/{prime or 'from nothing'}", _quote(text), trainer.global_step)

    def _generate(self, model: Model, seed: int) -> Iterator[tuple[str, str]]:
        for text, prime in self.primes.items():
            request = Request(1, len(prime) + LENGTH, seed, prime, self.domain.open_ended)
            for sample in draw(model, self.alphabet, request):
                yield text, self.domain.separator.join(sample.symbols)

    def _interval(self, module: LitModel) -> int:
        """The number of rounds from one preview to the next."""
        schedule, streams = module.schedule, module.windows.streams
        cost = SYMBOL_COST * BLOCK * sum(LENGTH + len(prime) for prime in self.primes.values())
        rounds = math.ceil(cost / (MAX_SHARE * schedule.steps_per_round * streams.batch * streams.time))
        return min(rounds, schedule.expected_rounds)


def _boards(trainer: pl.Trainer) -> list[Any]:
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def _subsample(values: Tensor) -> Tensor:
    flat = values.detach().flatten()
    some = flat[:: math.ceil(len(flat) / MAX_VALUES)].float().cpu()
    return some[some.isfinite()]


def _quote(text: str) -> str:
    """The text as a Markdown code block."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _to_json_line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
