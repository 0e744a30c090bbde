"""From raw samples to valid tunes, or to rejections with a reason."""

from pipeline.domains.music.abc.domain import Abc
from pipeline.records import Record, Sample


def sample(text: str, ended: bool = True) -> Sample:
    return Sample(2, 1, text, 0, ended, -10.0)


def test_samples_are_kept_closed_or_rejected():
    head = "M:4/4\nL:1/8\nK:C\n"
    good = Abc().finish(sample(head + "C8|G8"))
    assert isinstance(good, Record) and good.symbols.endswith("G8|]")
    assert good.metadata["repaired"] == "final bar line added"
    assert Abc().finish(sample(head + "C8|]", ended=False)).reason == "reached sample.length"
    assert Abc().finish(sample(head + "C9|]")).reason == "bar too long"
    assert Abc().finish(sample(head + "C5z3|]")).reason == "length that takes a tie"
    assert Abc().finish(sample("nonsense")).reason == "header is not M:, L:, K:"
