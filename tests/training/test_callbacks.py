import io
import json

import pytest
import torch
from power_cut import PowerCut, dying_at
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import TINY, load_manifest, run_pipeline
from tqdm import tqdm

from pipeline.data.alphabet import Alphabet
from pipeline.data.corpus import Corpus
from pipeline.domains.text import Text
from pipeline.errors import ConfigError
from pipeline.training import trainer
from pipeline.training.callbacks import parse_primes
from pipeline.training.lit_module import LitModel
from pipeline.training.previews import PREVIEWS, read_previews

WATCHED = (
    "train.max_epochs=30",
    "train.patience=0",
    "train.previews=['','the reel']",
    "stages=[ingest,train]",
)


@pytest.fixture(scope="module")
def watched(text_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched") / "run"
    run_pipeline(folder, "dataset=text", f"dataset.path={text_file}", *TINY, *WATCHED)
    return folder


def test_tensorboard_has_graph_curves_histograms_and_previews(watched):
    events = EventAccumulator(str(watched / "train" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert tags["graph"]
    assert {"train_bits", "train_perplexity", "validation_bits", "validation_perplexity"} <= {
        *tags["scalars"]
    }
    names = [name for name, _ in torch.nn.LSTM(1, 1).named_parameters()]
    for kind in ("weights", "gradients"):
        assert {f"{kind}/layers.{name}" for name in names} <= {*tags["histograms"]}
    assert {"previews/from nothing/text_summary", "previews/the reel/text_summary"} <= {*tags["tensors"]}


def test_the_progress_bar_ends_at_all_symbols_where_lines_are_short(tmp_path, monkeypatch):
    path, bars = tmp_path / "names.txt", []
    path.write_text("\n".join(f"name {number}" for number in range(800)))

    def shown(*arguments):
        bars.append(tqdm(total=arguments[1], file=io.StringIO(), disable=False))
        return bars[0]

    monkeypatch.setattr(trainer, "bar", shown)
    run_pipeline(
        tmp_path / "run", "dataset=text", f"dataset.path={path}", "domain.records=line",
        "model.hidden_size=8", "train.max_epochs=1", "train.threads=1", "stages=[ingest,train]",
    )  # fmt: skip
    symbols = Corpus.open(tmp_path / "run" / "ingest").subset_size("train")
    assert bars[0].n == bars[0].total
    assert bars[0].total == pytest.approx(symbols, rel=0.1)  # a whole number of steps in each round


def test_previews_are_kept_and_reported(watched):
    previews = read_previews(watched / "train" / PREVIEWS)
    assert [each["prime"] for each in previews] == ["", "the reel"] * (len(previews) // 2)
    assert all(each["text"].startswith(each["prime"]) for each in previews)
    sections = {e["title"]: e for e in load_manifest(watched)["stages"]["train"]["sections"]}
    shown = (watched / sections["Samples during training"]["files"][0]).read_text()
    assert all(each["text"] in shown for each in previews)


def test_previews_of_a_training_gone_on_with_are_those_of_an_unbroken_one(
    watched, text_file, tmp_path, monkeypatch
):
    overrides = ("dataset=text", f"dataset.path={text_file}", *TINY, *WATCHED)
    with monkeypatch.context() as patched, pytest.raises(PowerCut):
        patched.setattr(LitModel, "training_step", dying_at(700))
        run_pipeline(tmp_path / "run", *overrides)
    partial = next((tmp_path / "run").glob(".train-*"))
    with (partial / PREVIEWS).open("a") as stream:
        late = {"step": 10**9, "validation_bits": 1.0, "prime": "", "text": "after the last checkpoint"}
        stream.write(json.dumps(late) + '\n{"cut')
    run_pipeline(tmp_path / "run", *overrides, f"run={tmp_path / 'run'}")
    assert (tmp_path / "run/train" / PREVIEWS).read_bytes() == (watched / "train" / PREVIEWS).read_bytes()


def test_watching_does_not_change_what_is_learned(watched, text_file, tmp_path):
    overrides = ("dataset=text", f"dataset.path={text_file}", *TINY, *WATCHED[:2], "stages=[ingest,train]")
    run_pipeline(tmp_path / "run", *overrides, "train.previews=[]")
    metrics = [(folder / "train" / "metrics.csv").read_bytes() for folder in (watched, tmp_path / "run")]
    assert metrics[0] == metrics[1]
    assert not read_previews(tmp_path / "run" / "train" / PREVIEWS)


def test_a_prime_that_the_model_cannot_know_is_refused():
    with pytest.raises(ConfigError, match=r"train\.previews: symbol 'q' of 'aq' is not among"):
        parse_primes(["a", "aq"], Text(), Alphabet("ab"))
