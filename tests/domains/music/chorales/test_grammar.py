import random

import pytest
from tiny import run_pipeline, some_chorales

from pipeline.domains.music.chorales.domain import Chorales
from pipeline.domains.music.chorales.grammar import ChoraleGrammar
from pipeline.domains.music.chorales.voices import encode_chorale, parse_chorale
from pipeline.records import Record, Sample


@pytest.mark.parametrize("packed", [True, False])
def test_whatever_the_grammar_allows_is_a_chorale(packed):
    domain = Chorales(representation="packed" if packed else "interleaved")
    symbols = sorted(
        set(encode_chorale(parse_chorale("67,62,58,43 _,_,.,_ .,64,60,_ 65,.,57,45 _,.,_,_ "), packed))
    )
    grammar, rng = ChoraleGrammar(symbols), random.Random(1)
    for number in range(50):
        (state,), drawn = grammar.start, []
        while True:
            letters, may_end = grammar.allowed(0, state)
            if may_end and (len(drawn) > 40 or rng.random() < 0.1):
                break
            letter = rng.choice(sorted(letters))
            drawn.append(symbols[letter])
            state = grammar.step(0, state, letter)
        assert isinstance(domain.finish(Sample(number, 1, tuple(drawn), 0, True, -1.0)), Record)


def test_an_untrained_model_draws_nothing_malformed(tmp_path):
    path = tmp_path / "small.txt"
    path.write_text(some_chorales())
    settings = ("model.hidden_size=8", "model.num_layers=1", "train.max_epochs=1", "sample.count=16",
                "sample.length=200")  # fmt: skip
    run_pipeline(tmp_path / "run", "dataset=chorales", f"dataset.path={path}", *settings)
    rejected = (tmp_path / "run" / "postprocess" / "rejected.tsv").read_text().splitlines()[1:]
    assert {line.split("\t")[1] for line in rejected} <= {"reached sample.length"}
    assert len(rejected) < 16
