"""Beam search under constraints, against every sequence there is."""

import itertools

import pytest
import torch

from pipeline.config.sampling import SampleSettings
from pipeline.data.alphabet import BOS, EOS, Alphabet
from pipeline.domains.genome.domain import Nucleotide
from pipeline.errors import ConfigError
from pipeline.generation.beam_search import search
from pipeline.generation.constrained.constraint_processor import build_logits_processors
from pipeline.generation.constrained.constraints import ConstraintAlphabet, build_constraints
from pipeline.generation.constrained.repetition_penalty import RepetitionPenalty
from pipeline.generation.request import Request
from pipeline.models.recurrent import Recurrent

DNA, WORDS = (
    ConstraintAlphabet.from_domain(Nucleotide(), Alphabet("ACGT")),
    ConstraintAlphabet(Alphabet("abc")),
)
LENGTH = 6


def model_of(language: ConstraintAlphabet) -> torch.nn.Module:
    torch.manual_seed(3)
    return Recurrent("lstm", 8, 2).build(len(language.alphabet)).eval()


def found(
    language: ConstraintAlphabet, *wishes: dict, width: int = 400, count: int = 8, prime: str = "", **changes
):
    processor = build_logits_processors(build_constraints(wishes), language, LENGTH, **changes)
    request = Request(count, LENGTH, 0, prime, language.open_ended, processor=processor)
    return list(search(model_of(language), language.alphabet, request, width, 1.0))


def log_probability(model: torch.nn.Module, codes: list[int]) -> float:
    with torch.no_grad():
        logits = model(torch.tensor([[BOS, *codes[:-1]]]))[0][0].double()
    return float(logits.log_softmax(-1).gather(-1, torch.tensor(codes)[:, None]).sum())


def test_the_best_of_all_sequences_that_keep_the_constraints_are_found():
    wishes = ({"kind": "motifs", "never": ["AC", "GG"]}, {"kind": "end", "one_of": ["TA"]})
    model = model_of(DNA)
    every = map("".join, itertools.product("ACGT", repeat=LENGTH))
    kept = [t for t in every if t.endswith("TA") and not any(bad in t for bad in ("AC", "GT", "GG", "CC"))]
    values = {text: log_probability(model, DNA.alphabet.encode(text).tolist()) for text in kept}
    best = found(DNA, *wishes)
    assert [each.symbols for each in best] == sorted(values, key=values.get, reverse=True)[:8]
    for each in best:
        assert each.log_probability == pytest.approx(values[each.symbols], abs=1e-3)


def test_a_window_leaves_the_best_of_what_it_allows():
    gc = {"kind": "window", "of": "GC", "low": 0.5, "high": 0.5, "length": 4}
    model = model_of(DNA)

    def balanced(text: str) -> bool:
        return all(sum(base in "GC" for base in text[at : at + 4]) == 2 for at in range(3))

    kept = filter(balanced, map("".join, itertools.product("ACGT", repeat=LENGTH)))
    values = {text: log_probability(model, DNA.alphabet.encode(text).tolist()) for text in kept}
    best = [each.symbols for each in found(DNA, gc)]
    assert best == sorted(values, key=values.get, reverse=True)[:8]


def test_sequences_end_where_they_must():
    model = model_of(WORDS)
    best = found(WORDS, {"kind": "end", "one_of": ["b"]}, {"kind": "symbols", "without": "c"})
    assert len(best) == 8
    for each in best:
        assert each.ended and each.symbols.endswith("b") and "c" not in each.symbols
        codes = [*WORDS.alphabet.encode(each.symbols).tolist(), EOS]
        assert each.log_probability == pytest.approx(log_probability(model, codes), abs=1e-3)
    short = found(WORDS, {"kind": "length", "at_most": 2}, count=12)
    assert sorted(each.symbols for each in short) == sorted(
        "".join(letters) for size in (1, 2) for letters in itertools.product("abc", repeat=size)
    )


def test_a_dead_end_and_what_only_re_weights_are_errors():
    with pytest.raises(ConfigError, match="cannot all be kept: nothing may follow in sample 0 at position 1"):
        found(DNA, {"kind": "symbols", "only": "A"}, {"kind": "motifs", "never": ["A"]})
    with pytest.raises(ConfigError, match=r"cannot search under sample\.repetition_penalty"):
        found(DNA, {"kind": "symbols", "only": "A"}, repetition=RepetitionPenalty(1.5, 4))
    weights = {"kind": "weights", "add": {"A": 1.0}}
    for settings in ({"repetition_penalty": 2.0}, {"constraints": [weights]}):
        with pytest.raises(ConfigError, match="keeps constraints that forbid, not weights or penalties"):
            SampleSettings(beam=4, **settings)
