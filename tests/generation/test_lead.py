"""A hidden lead-in: a sample starts from a state within a sequence; all else holds for the sample."""

import dataclasses
from copy import deepcopy

import numpy as np
import pytest
import torch
from tiny import TINY, run_pipeline

from pipeline.data.alphabet import BOS, Alphabet
from pipeline.errors import ConfigError
from pipeline.generation import engine
from pipeline.generation.beam_search import search
from pipeline.generation.engine import LEAD_SEED, draw, draw_leads
from pipeline.generation.request import Request
from pipeline.models.min_gru import MinGru
from pipeline.models.model import Model
from pipeline.models.recurrent import Recurrent
from pipeline.models.transformer import Transformer
from pipeline.records import Sample

ALPHABET = Alphabet("ACGT")
REQUEST = Request(count=20, length=30, seed=7, open_ended=True, lead=50)


class Plain(Model):
    """A model that offers nothing but its forward."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, symbols, state=None):
        return self.model(symbols, state)


def built(settings=Recurrent("lstm", 24, 2)) -> torch.nn.Module:  # noqa: B008
    torch.manual_seed(1)
    model = settings.build(len(ALPHABET)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def codes_of(symbols: str) -> np.ndarray:
    return ALPHABET.encode(symbols).astype(np.int64)


def nats_after(model: torch.nn.Module, lead: np.ndarray, symbols: str) -> float:
    """The log-probability of the symbols after the begin symbol and the lead-in, by one pass."""
    codes = codes_of(symbols)
    inputs = torch.from_numpy(np.concatenate([[BOS], lead, codes[:-1]]))[None]
    with torch.no_grad():
        found = deepcopy(model).double()(inputs)[0][0, len(lead) :].log_softmax(-1)
    return float(found.gather(-1, torch.from_numpy(codes)[:, None]).sum())


@pytest.mark.parametrize("settings", [Recurrent("gru", 24, 1), MinGru(24, 2), Transformer(16, 1, 2)], ids=str)
def test_only_the_sample_is_written_and_counted(settings):
    model = built(settings)
    leads = draw_leads(model, ALPHABET, REQUEST)
    assert leads.shape == (20, 50)
    for sample in draw(model, ALPHABET, REQUEST):
        assert len(sample.symbols) == 30 and sample.prime_length == 0
        expected = nats_after(model, leads[sample.index], sample.symbols)
        assert sample.log_probability == pytest.approx(expected, rel=1e-3)


def test_the_lead_in_is_drawn_as_the_model_has_it_whatever_the_settings_of_the_sample():
    model = built()
    leads = draw_leads(model, ALPHABET, dataclasses.replace(REQUEST, temperature=0.0, top_k=1))
    alone = Request(20, 50, REQUEST.seed ^ LEAD_SEED, open_ended=True)
    assert [ALPHABET.decode(each) for each in leads] == [s.symbols for s in draw(model, ALPHABET, alone)]


def test_compiled_samples_are_the_plain_ones():
    fast, slow = (list(draw(each, ALPHABET, REQUEST)) for each in (built(), Plain(built())))
    assert [s.symbols for s in fast] == [s.symbols for s in slow]
    assert fast != list(draw(built(), ALPHABET, dataclasses.replace(REQUEST, lead=0)))


@pytest.mark.parametrize("wrap", [lambda model: model, Plain], ids=["compiled", "plain"])
def test_the_same_sample_for_any_count_and_place(monkeypatch, wrap):
    monkeypatch.setattr(engine, "MAX_LEADS", 8)
    model, request = wrap(built()), dataclasses.replace(REQUEST, count=90)
    every = list(draw(model, ALPHABET, request))
    assert list(draw(model, ALPHABET, request, first=75)) == every[75:]
    assert list(draw(model, ALPHABET, dataclasses.replace(request, count=11), threads=2)) == every[:11]
    # Samples 3 and 11 start after the same lead-in, with random numbers of their own.
    assert every[3].symbols != every[11].symbols


def test_a_prime_means_no_lead_in():
    for given in ({"prime": "ACG"}, {"primes": ("ACG", "T")}):
        request = dataclasses.replace(REQUEST, **given)
        bare = dataclasses.replace(request, lead=0)
        assert list(draw(built(), ALPHABET, request)) == list(draw(built(), ALPHABET, bare))


def test_a_beam_search_starts_after_one_lead_in():
    model = built()
    request = dataclasses.replace(REQUEST, count=2, length=12)
    lead = draw_leads(model, ALPHABET, dataclasses.replace(request, count=1))[0]
    for sample in search(model, ALPHABET, request, 4, 0.7):
        expected = nats_after(model, lead, sample.symbols)
        assert sample.log_probability == pytest.approx(expected, rel=1e-3)


def drawn(folder, *more: str) -> list[Sample]:
    run_pipeline(folder, *more)
    return [Sample.from_json(line) for line in (folder / "sample" / "samples.jsonl").open(encoding="utf-8")]


def test_a_genome_starts_warm_with_constraints_and_a_text_with_ends_refuses(fasta_file, text_file, tmp_path):
    run = tmp_path / "run"
    genome = ("dataset=genome", f"dataset.path={fasta_file}", "blast=none", *TINY)
    warm = drawn(run, *genome, "stages=[ingest,train,sample]")
    again = (*genome, f"run={run}", "stages=[sample]")
    cold = drawn(run, *again, "sample.lead=0")
    assert [s.symbols for s in warm] != [s.symbols for s in cold]
    held = drawn(run, *again, "sample.constraints=[{kind: motifs, never: [AA, TT]}]")
    assert all("AA" not in s.symbols and "TT" not in s.symbols for s in held)
    text = ("dataset=text", f"dataset.path={text_file}", *TINY, "sample.lead=10")
    with pytest.raises(ConfigError, match=r"sample\.lead=10: sequences of this domain have a beginning"):
        run_pipeline(tmp_path / "text", *text)
