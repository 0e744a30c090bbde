"""From raw samples to files: what a domain drops as a copy is in no file, and is counted."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.sampling import SampleSettings
from pipeline.data.corpus import Corpus
from pipeline.domains.text import Text
from pipeline.records import DomainOutput, Record, References, Rejection, Sample
from pipeline.stages.postprocess import PostprocessInputs, postprocess


class Audited(Text):
    """Keeps all samples but the first so many, and flags the rest."""

    drop = 1

    def audit(
        self, records: Sequence[Record], references: References, out_dir: Path
    ) -> tuple[Sequence[Record], DomainOutput]:
        assert "held-out real" in references.groups and next(references.training()).symbols
        kept = [replace(each, metadata={**each.metadata, "copied": "yes"}) for each in records[self.drop :]]
        gone = tuple(Rejection(each.id, "copied") for each in records[: self.drop])
        return kept, DomainOutput(rejections=gone, summary=("audited",))


def finished(run: Path, domain: Text, out_dir: Path, temperature: float = 1.0):
    out_dir.mkdir(exist_ok=True)
    samples = out_dir.with_suffix(".jsonl")
    texts = ("a jig", "a reel", "an air")
    drawn = [Sample(index, 1, text, 0, True, -9.5) for index, text in enumerate(texts)]
    samples.write_text("".join(each.to_json() + "\n" for each in drawn), encoding="utf-8")
    settings = SampleSettings(count=3, length=40, temperature=temperature)
    corpus = Corpus.open(run / "ingest")
    inputs = PostprocessInputs(corpus, run / "train" / "best.ckpt", samples, domain, settings, (), 0)
    return postprocess(inputs, out_dir)


def test_what_the_audit_drops_is_not_written_and_what_it_flags_is_written_with_the_flag(text_run, tmp_path):
    result = finished(text_run, Audited(), tmp_path)
    assert result.kept == {"raw": 3, "records": 2}
    assert result.rejected == {"copied": 1}
    assert result.summary[0] == "2 of 3 samples kept; the others are listed in postprocess/rejected.tsv"
    assert "audited" in result.summary
    written = (tmp_path / "samples.txt").read_text(encoding="utf-8")
    assert "synthetic_0001" not in written
    assert written.count("copied yes") == 2
    with (tmp_path / "rejected.tsv").open(newline="") as stream:
        assert [row["where"] for row in csv.DictReader(stream, delimiter="\t")] == ["synthetic_0001"]


def test_of_all_samples_dropped_nothing_is_written(text_run, tmp_path):
    domain = Audited()
    object.__setattr__(domain, "drop", 3)
    result = finished(text_run, domain, tmp_path)
    assert result.kept == {"raw": 3, "records": 0}
    assert {path.name for path in tmp_path.iterdir()} == {"rejected.tsv"}


def test_a_domain_without_an_audit_keeps_all(text_run, tmp_path):
    result = finished(text_run, Text(), tmp_path)
    assert result.kept == {"raw": 3, "records": 3}


def test_where_most_samples_are_invalid_the_reason_and_the_remedy_are_named(text_run, tmp_path):
    class Strict(Text):
        def finish(self, sample):
            return Rejection("sample", "reached sample.length") if sample.index else super().finish(sample)

    expected = (
        "1 of 3 samples kept; the others are listed in postprocess/rejected.tsv (most often: reached "
        "sample.length, 2). Remedy: train longer, or set a larger sample.length"
    )
    assert finished(text_run, Strict(), tmp_path / "cool").summary[0] == expected
    hot = expected.replace("train longer", "sample at temperature 1, or train longer")
    assert finished(text_run, Strict(), tmp_path / "hot", temperature=3.0).summary[0] == hot
