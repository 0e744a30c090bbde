"""Checkpoints: weights, the model's settings and the alphabet in one file of plain data.

Torch's ``weights_only`` loader opens them: a file from a stranger can hold numbers and strings, never code.
The family is one of this package.
"""

import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.config.build import build
from pipeline.config.unknown_keys import RENAMED
from pipeline.data.alphabet import Alphabet
from pipeline.errors import DataError, PipelineError
from pipeline.models.model import Model, ModelSettings
from pipeline.runtime.files import find_fault, reading_back
from pipeline.runtime.plain_data import check

KEY = "sequence_pipeline"
"""The key of our data in a checkpoint of Lightning."""
FORMAT = 1
PREFIX = "model."
"""The prefix of the model's weights; other entries belong to its training."""


@dataclass(frozen=True)
class Loaded:
    """A model on the CPU in evaluation mode, with its alphabet and the facts of its checkpoint."""

    model: Model
    alphabet: Alphabet
    about: Mapping[str, Any]


def describe(model_settings: Mapping[str, Any], alphabet: Alphabet, **facts: Any) -> dict[str, Any]:
    """The facts of a checkpoint, as plain data."""
    return {"format": FORMAT, "model": dict(model_settings), "alphabet": list(alphabet.symbols), **facts}


def save(path: Path, model: nn.Module, about: Mapping[str, Any]) -> None:
    """Write the checkpoint of a model that needs no training; the file appears whole or not at all."""
    draft = path.with_suffix(".partial")
    weights = {f"{PREFIX}{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"state_dict": weights, KEY: dict(about)}, draft)
    draft.replace(path)


def write_small(path: Path, target: Path) -> None:
    """The checkpoint at `path` again, its weights alone and in half precision: for handing on. Raises
    DataError as `load` does."""
    load(path)
    content = torch.load(path, map_location="cpu", weights_only=True)
    learned = content["state_dict"].items()
    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in learned
        if name.startswith(PREFIX)
    }
    torch.save({"state_dict": weights, KEY: content[KEY]}, target)


def load(path: Path) -> Loaded:
    """Raises DataError where the file is missing, no checkpoint, damaged, or of an unknown format."""
    if fault := find_fault(path, "no such checkpoint"):
        raise DataError(f"{path}: {fault}; name a .ckpt file that a run wrote (train/best.ckpt)")
    try:
        refuse_packed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the insides of a file that is not ours
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # torch raises half a dozen kinds for a file that is not its own
        raise DataError(
            f"{path}: not a checkpoint that can be read safely: it is damaged, or holds more than "
            "numbers and names; name a .ckpt file that a run of this pipeline wrote"
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get(KEY), dict):
        raise DataError(f"{path}: a checkpoint, but not of this pipeline; name one that a run wrote")
    about = _with_present_names(content[KEY])
    if about.get("format") != FORMAT:
        raise DataError(
            f"{path}: checkpoint format {about.get('format')!r}; this version reads {FORMAT}; train again"
        )
    return Loaded(*_rebuild(path, about, content), about)


def _rebuild(path: Path, about: Mapping[str, Any], content: Mapping[str, Any]) -> tuple[Model, Alphabet]:
    with reading_back(path, "name another, or train again", "the checkpoint does not fit together"):
        check(about["alphabet"], list[str], "alphabet")
        weights = {
            name.removeprefix(PREFIX): tensor
            for name, tensor in content["state_dict"].items()
            if name.startswith(PREFIX)
        }
        try:
            alphabet = Alphabet(about["alphabet"])
            settings = build(about["model"], "model", package="pipeline.models")
            _check_sizes(settings, len(alphabet), weights)
            model = settings.build(len(alphabet))
            model.load_state_dict(weights)
        except PipelineError as error:  # which knows no file
            raise ValueError(str(error)) from None
        broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise DataError(f"{path}: weights {broken[0]} are not finite; train again with a smaller train.lr")
    return model.eval(), alphabet


def _with_present_names(about: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of a checkpoint, in which settings of the model that an earlier version wrote are renamed."""
    model = about.get("model")
    if not isinstance(model, dict):
        return about
    names = {name: RENAMED.get(f"model.{name}", f"model.{name}").removeprefix("model.") for name in model}
    return {**about, "model": {names[name]: value for name, value in model.items()}}


def refuse_packed(path: Path) -> None:
    """Raise ValueError for a compressed file: torch writes none, and a few bytes may hold gigabytes."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                raise ValueError("compressed")


def _check_sizes(settings: ModelSettings, vocab_size: int, weights: Mapping[str, torch.Tensor]) -> None:
    """Raises ValueError, before memory is taken, where the settings ask for other weights than there are.

    Buffers are not compared: some take their size from the checkpoint, and the model checks them.
    """
    if settings.num_layers > len(weights):
        raise ValueError("more layers than weights")
    with torch.device("meta"):
        sketch = dict(settings.build(vocab_size).named_parameters())
    wrong = [n for n, each in sketch.items() if n not in weights or weights[n].shape != each.shape]
    if wrong:
        raise ValueError(f"weights {wrong[0]} are missing, or of another size")
