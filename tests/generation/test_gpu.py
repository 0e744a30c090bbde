"""On a GPU every family gives the logits, and so nearly always the symbols, that it gives on the CPU.

Without a GPU this is skipped; with one: ``python -m pytest tests/generation/test_gpu.py -n 0 -rs``.
"""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from pipeline.config.sampling import FillSettings, SampleSettings
from pipeline.data.alphabet import Alphabet
from pipeline.domains.genome.domain import Nucleotide
from pipeline.errors import ConfigError
from pipeline.generation.beam_search import search
from pipeline.generation.constrained.constraint_processor import build_logits_processors
from pipeline.generation.constrained.constraints import ConstraintAlphabet, build_constraints
from pipeline.generation.constrained.repetition_penalty import RepetitionPenalty
from pipeline.generation.engine import GPU_BLOCK, draw
from pipeline.generation.infilling import fill
from pipeline.generation.request import Request
from pipeline.generation.sampling_run import resolve_accelerator
from pipeline.generation.surprisal import compute_surprisals
from pipeline.models.min_gru import MinGru
from pipeline.models.mixture import Mixture
from pipeline.models.recurrent import Recurrent
from pipeline.models.transformer import Transformer

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
DNA = Alphabet("ACGT")
FAMILIES = {
    "rnn": Recurrent("rnn", 16, 1), "lstm": Recurrent("lstm", 16, 2),
    "residual lstm": Recurrent("lstm", 16, 2, residual=True, layer_norm=True, tied=True),
    "gru": Recurrent("gru", 16, 2), "min_gru": MinGru(16, 2),
    "transformer": Transformer(16, 2, heads=2, context=12),
    "mixture": Mixture(hidden_size=16, num_layers=1, copy_after=4, repeat_after=4, orders=[1, 2, 4]),
}  # fmt: skip
REQUEST = Request(300, 50, 7, "GAT", open_ended=True)
LANGUAGE = ConstraintAlphabet.from_domain(Nucleotide(), DNA)
PROCESSOR = build_logits_processors(
    build_constraints([{"kind": "motifs", "never": ["AC"]}]), LANGUAGE, 50, RepetitionPenalty(1.2, 4)
)
REQUESTS = {
    "plain": REQUEST,
    "truncated": dataclasses.replace(REQUEST, temperature=0.8, top_k=3, top_p=0.9, min_p=0.05),
    "typical_p": dataclasses.replace(REQUEST, typical_p=0.9),
    "ending, primes": Request(300, 50, 3, primes=("", "ACGT", "TT")),
    "steered": dataclasses.replace(REQUEST, processor=PROCESSOR),
}


@pytest.fixture(autouse=True)
def full_precision():
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


@pytest.fixture(params=FAMILIES)
def pair(request):
    """The same model on the CPU and on the GPU."""
    torch.manual_seed(3)
    model = FAMILIES[request.param].build(len(DNA)).eval()
    if request.param == "mixture":
        model.add_text(DNA.encode("GATTACATTAGGATTACCA" * 4))
    return model, copy.deepcopy(model).to("cuda")


@pytest.mark.gpu
@needs_gpu
def test_logits_step_by_step_are_those_of_the_cpu(pair):
    codes = torch.from_numpy(np.random.default_rng(0).integers(3, 7, (5, 40)))
    with torch.inference_mode():
        (one, state), (other, elsewhere) = pair[0](codes[:, :9]), pair[1](codes[:, :9].cuda())
        assert torch.allclose(one, other.cpu(), atol=1e-4)
        for step in range(9, 40):
            one, state = pair[0](codes[:, step : step + 1], state)
            other, elsewhere = pair[1](codes[:, step : step + 1].cuda(), elsewhere)
            assert torch.allclose(one, other.cpu(), atol=1e-4)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("name", REQUESTS)
def test_samples_are_those_of_the_cpu_but_for_rounding(pair, name):
    here, there = (list(draw(model, DNA, REQUESTS[name])) for model in pair)
    same = [one.symbols == other.symbols for one, other in zip(here, there, strict=True)]
    assert np.mean(same) > 0.98
    for one, other, alike in zip(here, there, same, strict=True):
        if alike:
            assert other.log_probability == pytest.approx(one.log_probability, abs=1e-3)
    if name == "steered":
        assert not any("AC" in each.symbols[3:] for each in there)


@pytest.mark.gpu
@needs_gpu
def test_the_same_bytes_for_any_count_and_start(pair):
    request = dataclasses.replace(REQUEST, count=GPU_BLOCK + 20, length=12)
    every = list(draw(pair[1], DNA, request))
    assert list(draw(pair[1], DNA, dataclasses.replace(request, count=5))) == every[:5]
    assert list(draw(pair[1], DNA, request, first=GPU_BLOCK + 3)) == every[GPU_BLOCK + 3 :]


@pytest.mark.gpu
@needs_gpu
def test_searches_and_scores_are_those_of_the_cpu(pair):
    request = Request(5, 9, 0, "GA", open_ended=True)
    here, there = (list(search(model, DNA, request, 32, 1.0)) for model in pair)
    assert [each.ranked_by for each in there] == pytest.approx([each.ranked_by for each in here], abs=1e-3)
    settings = FillSettings("TTACA", 1, 3, 300)
    here, there = (list(fill(model, DNA, request, settings, "TTACA", with_end=False)) for model in pair)
    assert [each.ranked_by for each in there] == pytest.approx([each.ranked_by for each in here], abs=0.05)
    texts = [np.random.default_rng(n).integers(3, 7, 50 + n) for n in range(9)]
    for one, other in zip(*(compute_surprisals(model, texts, True) for model in pair), strict=True):
        assert np.allclose(one, other, atol=1e-3)


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_accelerator(SampleSettings(accelerator="auto")).type == "cpu"
    with pytest.raises(ConfigError, match=r"sample\.accelerator=gpu: torch finds none on this machine"):
        resolve_accelerator(SampleSettings(accelerator="gpu"))
    with pytest.raises(ConfigError, match=r"sample\.accelerator"):
        SampleSettings(accelerator="tpu")
