"""What one sees of a training while it runs: TensorBoard's graph and histograms, and what the model writes.

All of it is bounded: histograms look at some values of each tensor, and the model writes only after so many
steps that its writing costs a few hundredths of them. Which steps these are is counted, not clocked, so that
the same seed gives the same files.
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
from pipeline.generation.engine import BLOCK, Request, draw
from pipeline.models.model import Model
from pipeline.records import Symbols
from pipeline.training.lit_module import CharModel
from pipeline.training.previews import read_previews

log = logging.getLogger(__name__)

LENGTH = 160
"""Symbols of a preview after its prime."""
COST = 2.0
"""A symbol drawn step by step costs as much as so many learned."""
SHARE = 0.03
"""Of the training, what previews may take; one is made in any case, at the end."""
MAX_VALUES = 5_000
"""Values of a tensor that its histogram counts, evenly spread; with all, large models would wait for it."""


def parse_primes(texts: Sequence[str], domain: Domain, alphabet: Alphabet) -> dict[str, Symbols]:
    """The symbols of each starting text; ConfigError where the model does not know one of them."""
    primes = {text: domain.parse_prime(text) if text else "" for text in texts}
    for text, prime in primes.items():
        for symbol in prime:
            if symbol not in alphabet:
                raise ConfigError(
                    f"train.previews: symbol {symbol!r} of {text!r} is not among what the model learns, "
                    f"{alphabet}; leave it out or replace it"
                )
    return primes


class Watch(Callback):
    """Writes to TensorBoard and to `path`, one JSON line a preview: step, validation_bits, prime, text.

    Lines after `first_step`, of a training that was broken off, are dropped: they are written again.
    """

    def __init__(
        self, primes: dict[str, Symbols], alphabet: Alphabet, domain: Domain, path: Path, first_step: int
    ) -> None:
        self.primes, self.alphabet, self.domain, self.path = primes, alphabet, domain, path
        self.begun = first_step > 0
        kept = [each for each in read_previews(path) if each["step"] <= first_step]
        path.write_text("".join(map(_line, kept)), encoding="utf-8")

    def on_fit_start(self, trainer: pl.Trainer, module: CharModel) -> None:
        """The model's graph, once."""
        if self.begun:
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
        self, trainer: pl.Trainer, module: CharModel, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """At the end of a round, histograms of the weights and of their last gradients, by layer."""
        if batch_idx + 1 < len(module.feed):
            return
        for board in _boards(trainer):
            for name, parameter in module.model.named_parameters():
                for kind, values in (("weights", parameter), ("gradients", parameter.grad)):
                    if values is not None and len(shown := _some(values)):
                        board.add_histogram(f"{kind}/{name}", shown, trainer.global_step)

    def on_validation_epoch_end(self, trainer: pl.Trainer, module: CharModel) -> None:
        """Let the model write, where it is time."""
        if not self.primes or (trainer.current_epoch + 1) % self._every(module):
            return
        # Our hook comes before the module's, so that an average of the weights is still in the model.
        model, bits = deepcopy(module.model).cpu().eval(), module.validation_bits
        if not math.isfinite(bits):
            return
        with self.path.open("a", encoding="utf-8") as stream:
            for prime, text in self._written(model, module.feed.seed):
                row = {"step": trainer.global_step, "validation_bits": bits, "prime": prime, "text": text}
                stream.write(_line(row))
                for board in _boards(trainer):
                    board.add_text(f"previews/{prime or 'from nothing'}", _quoted(text), trainer.global_step)

    def _written(self, model: Model, seed: int) -> Iterator[tuple[str, str]]:
        for text, prime in self.primes.items():
            request = Request(1, len(prime) + LENGTH, seed, prime, self.domain.open_ended)
            for sample in draw(model, self.alphabet, request):
                yield text, self.domain.separator.join(sample.symbols)

    def _every(self, module: CharModel) -> int:
        """A preview after every so many rounds."""
        schedule, streams = module.schedule, module.feed.streams
        cost = COST * BLOCK * sum(LENGTH + len(prime) for prime in self.primes.values())
        rounds = math.ceil(cost / (SHARE * schedule.steps_per_round * streams.batch * streams.time))
        return min(rounds, schedule.expected_rounds)


def _boards(trainer: pl.Trainer) -> list[Any]:
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def _some(values: Tensor) -> Tensor:
    flat = values.detach().flatten()
    some = flat[:: math.ceil(len(flat) / MAX_VALUES)].float().cpu()
    return some[some.isfinite()]


def _quoted(text: str) -> str:
    """As Markdown shows it unchanged."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
