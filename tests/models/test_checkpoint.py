import pickle
import zipfile

import pytest
import torch

from pipeline.data.alphabet import Alphabet
from pipeline.errors import DataError
from pipeline.models.checkpoint import KEY, describe, load, write_small
from pipeline.models.recurrent import CELLS, Recurrent
from pipeline.training.trainer import AtomicCheckpointIO

ALPHABET = Alphabet("ACGT")


def settings(cell: str = "gru") -> dict:
    return {
        "_target_": "pipeline.models.recurrent.Recurrent", "cell": cell, "hidden_size": 6, "num_layers": 2,
        "dropout": 0.1,
    }  # fmt: skip


def content(cell: str = "gru", alphabet: Alphabet = ALPHABET) -> dict:
    """What a run writes, as far as we read it."""
    torch.manual_seed(1)
    model = Recurrent(cell, 6, 2, 0.1).build(len(alphabet))
    weights = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    return {"state_dict": weights, KEY: describe(settings(cell), alphabet, symbol_name="base")}


def saved(tmp_path, content, name="best.ckpt"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("cell", CELLS)
def test_a_checkpoint_stands_alone(tmp_path, cell):
    written = content(cell)
    loaded = load(saved(tmp_path, written))
    assert loaded.alphabet == ALPHABET
    assert loaded.about["symbol_name"] == "base"
    assert not loaded.model.training
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, written["state_dict"][f"model.{name}"])


def test_a_checkpoint_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    AtomicCheckpointIO().save_checkpoint(content(), tmp_path / "best.ckpt")
    before = (tmp_path / "best.ckpt").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        AtomicCheckpointIO().save_checkpoint(content("lstm"), tmp_path / "best.ckpt")
    assert (tmp_path / "best.ckpt").read_bytes() == before


def test_a_small_checkpoint_has_half_the_bytes_and_the_weights_rounded(text_run, tmp_path):
    path = text_run / "train" / "best.ckpt"
    write_small(path, tmp_path / "small.ckpt")
    small, whole = load(tmp_path / "small.ckpt"), load(path)
    assert (small.alphabet, small.about) == (whole.alphabet, whole.about)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(small.model.state_dict()[name], tensor.half().float())
    numbers = sum(tensor.numel() for tensor in whole.model.state_dict().values())
    assert (tmp_path / "small.ckpt").stat().st_size < 2 * numbers + 20_000


def test_a_run_writes_plain_data_only(text_run):
    whole = torch.load(text_run / "train" / "best.ckpt", weights_only=True)
    assert whole[KEY]["model"]["cell"] == "lstm"
    assert "".join(whole[KEY]["alphabet"]) == "".join(sorted(whole[KEY]["alphabet"]))
    torch.load(text_run / "train" / "last.ckpt", weights_only=True)


class Explosive:
    """Pickled code, as a stranger's file may hold it."""

    def __reduce__(self):
        return (open, (self.path, "w"))

    def __init__(self, path):
        self.path = str(path)


@pytest.mark.parametrize("wrapped", [False, True])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, wrapped):
    bomb = Explosive(tmp_path / "exploded")
    path = saved(tmp_path, {**content(), "extra": bomb}) if wrapped else tmp_path / "bare.ckpt"
    if not wrapped:
        path.write_bytes(pickle.dumps(bomb))
    with pytest.raises(DataError, match=r"\.ckpt: not a checkpoint that can be read safely"):
        load(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("bytes_", [b"", b"just some text\n", b"PK\x03\x04 a broken zip", bytes(1000)])
def test_any_other_file_is_an_error(tmp_path, bytes_):
    path = tmp_path / "other.ckpt"
    path.write_bytes(bytes_)
    with pytest.raises(DataError, match=r"other\.ckpt: not a checkpoint .* name a \.ckpt file that a run"):
        load(path)


def test_a_cut_checkpoint_is_an_error(tmp_path):
    path = saved(tmp_path, content())
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"best\.ckpt: not a checkpoint"):
        load(path)


def test_a_zip_of_something_else_is_an_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.ckpt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(DataError, match=r"z\.ckpt: not a checkpoint"):
        load(tmp_path / "z.ckpt")


def test_a_missing_file_or_a_folder_is_an_error(tmp_path):
    for path, fault in (
        (tmp_path / "none.ckpt", "no such checkpoint"),
        (tmp_path, "a folder, not a regular file"),
    ):
        with pytest.raises(DataError, match=rf"{fault}; name a \.ckpt file"):
            load(path)


@pytest.mark.parametrize("other", [[1, 2], {"state_dict": {}}, {KEY: 3}, torch.zeros(3)])
def test_a_checkpoint_of_something_else_is_an_error(tmp_path, other):
    with pytest.raises(DataError, match="a checkpoint, but not of this pipeline"):
        load(saved(tmp_path, other))


def test_a_later_format_is_an_error(tmp_path):
    whole = content()
    whole[KEY]["format"] = 99
    with pytest.raises(DataError, match="checkpoint format 99; this version reads 1"):
        load(saved(tmp_path, whole))


@pytest.mark.parametrize(
    "change",
    [
        {"alphabet": ["A", "C"]},
        {"alphabet": ["A", "A", "C", "G"]},
        {"alphabet": 4},
        {"alphabet": [1, 2, 3, 4]},
        {"model": {**settings(), "hidden_size": 7}},
        {"model": {**settings(), "hidden_size": "many"}},
        {"model": {**settings(), "hiden_size": 7}},
        {"model": {"_target_": "os.system", "command": "true"}},
        {"model": {"_target_": "pipeline.run.Config"}},
        {"model": None},
        {"model": [1]},
    ],
)
def test_what_does_not_fit_together_is_an_error(tmp_path, change):
    whole = content()
    whole[KEY].update(change)
    with pytest.raises(DataError, match=r"best\.ckpt: the checkpoint does not fit together"):
        load(saved(tmp_path, whole))


@pytest.mark.parametrize("weights", [None, [], {}, {"model.embedding.weight": 3}])
def test_missing_weights_are_an_error(tmp_path, weights):
    with pytest.raises(DataError, match="does not fit together"):
        load(saved(tmp_path, {**content(), "state_dict": weights}))


def test_weights_that_are_not_finite_are_an_error(tmp_path):
    whole = content()
    whole["state_dict"]["model.readout.bias"][2] = torch.nan
    with pytest.raises(DataError, match=r"weights readout\.bias are not finite; train again with a smaller"):
        load(saved(tmp_path, whole))
