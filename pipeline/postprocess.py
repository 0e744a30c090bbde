"""The fourth stage: raw samples to the domain's own files, statistics beside null models, and renders."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.alphabet import BOS, EOS, UNKNOWN
from pipeline.baseline import fit_markov
from pipeline.checkpoint import load
from pipeline.config import build
from pipeline.contact_sheet import cells_in_turn
from pipeline.corpus import Corpus
from pipeline.domain import Domain, Exhibit, Findings, Record, References, Rejection, Render, Sample
from pipeline.nulls import shuffle_keeping_pairs
from pipeline.sampling.settings import SampleSettings
from pipeline.stages import StageResult, findings_to_result

REFERENCE_SEQUENCES = 200
"""Sequences of each reference group, at most: enough to compare, quick to make."""


@dataclass(frozen=True)
class PostprocessInputs:
    """What the stage needs to know, bound together."""

    corpus: Corpus
    checkpoint: Path
    samples: Path
    domain: Domain
    sample: SampleSettings
    renders: tuple[Render, ...]
    seed: int


def postprocess(inputs: PostprocessInputs, out_dir: Path) -> StageResult:
    """Check and write the samples, compare them with the reference groups, run the renders."""
    first, records, rejected = _finished(inputs)
    raw = len(records) + len(rejected)
    findings = [Findings(rejections=tuple(rejected))]
    if records:
        references = _references(inputs, first)
        records, audited = inputs.domain.audit(records, references, out_dir)
        findings.append(audited)
    if records:
        findings.append(inputs.domain.write(records, out_dir))
        findings.append(inputs.domain.compare(records, references, out_dir))
        in_turn = cells_in_turn(records, inputs.sample)
        findings += [render(in_turn, references, out_dir, inputs.seed) for render in inputs.renders]
    findings.insert(0, _tally(raw, len(records), out_dir))
    _write_rejections(findings, out_dir / "rejected.tsv")
    return findings_to_result(findings, {"raw": raw, "records": len(records)})


def _finished(inputs: PostprocessInputs) -> tuple[list[Sample], list[Record], list[Rejection]]:
    """The first samples as they were drawn, and all of them finished: of millions only this is kept."""
    origin = _origin(inputs)
    first, records, rejected = [], [], []
    with inputs.samples.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            sample = Sample.from_json(line)
            if len(first) < REFERENCE_SEQUENCES:
                first.append(sample)
            finished = inputs.domain.finish(sample)
            if isinstance(finished, Rejection):
                rejected.append(finished)
            else:
                records.append(_with_origin(finished, sample, origin))
    return first, records, rejected


def _origin(inputs: PostprocessInputs) -> dict[str, str]:
    model = build(load(inputs.checkpoint).about["model"], "model", package="pipeline.models")
    return {"model": str(model)}


def _with_origin(record: Record, sample: Sample, origin: Mapping[str, str]) -> Record:
    made = {
        **origin, **_temperature(sample), "seed": str(sample.seed), "index": str(sample.index),
        "log_probability": f"{sample.log_probability:.3f}",
        "bits_per_symbol": f"{sample.bits_per_symbol:.3f}",
    }  # fmt: skip
    return replace(record, metadata={**record.metadata, **made})


def _temperature(sample: Sample) -> dict[str, str]:
    return {} if sample.temperature is None else {"temperature": f"{sample.temperature:g}"}


def _tally(raw: int, kept: int, out_dir: Path) -> Findings:
    if kept == raw:
        return Findings()
    exhibit = Exhibit("Rejected samples", (out_dir / "rejected.tsv",), f"{raw - kept} of {raw}.")
    line = f"{kept} of {raw} samples kept; the others are listed in postprocess/rejected.tsv"
    return Findings(exhibits=(exhibit,), summary=(line,))


def _write_rejections(findings: Sequence[Findings], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(("where", "reason", "detail"))
        for finding in findings:
            rows.writerows((r.where, r.reason, r.detail) for r in finding.rejections)


def _references(inputs: PostprocessInputs, first: Sequence[Sample]) -> References:
    """Markov samples (at temperature 1) and shuffled samples, as many and as long as the samples; held-out
    real sequences as long as they, but as many as there are: what is real should be known best.
    """
    corpus, domain = inputs.corpus, inputs.domain
    count = len(first)
    rng = np.random.default_rng([inputs.seed, 1])
    markov = fit_markov(corpus, domain)
    never = (BOS, UNKNOWN, EOS) if domain.open_ended else (BOS, UNKNOWN)
    drawn = markov.sample(
        count, inputs.sample.length, rng, end_code=None if domain.open_ended else EOS, forbidden=never
    )
    shuffled = (_shuffle(inputs, each, rng) for each in first)
    groups = {
        "held-out real": list(_held_out(inputs, REFERENCE_SEQUENCES)),
        f"Markov order {markov.order}": _records(corpus, drawn, "markov"),
        "shuffled": _records(corpus, shuffled, "shuffled"),
    }
    return References(groups, lambda: corpus.records("train", domain))


def _shuffle(inputs: PostprocessInputs, sample: Sample, rng: np.random.Generator) -> np.ndarray:
    codes = inputs.corpus.alphabet.encode(sample.symbols, "replace")
    start = inputs.domain.shuffle_start(sample.symbols)
    return np.concatenate([codes[:start], shuffle_keeping_pairs(codes[start:], rng)])


def _records(corpus: Corpus, sequences: Iterable[np.ndarray], name: str) -> list[Record]:
    return [
        Record(f"{name}_{number:04d}", corpus.alphabet.decode(codes))
        for number, codes in enumerate(sequences, start=1)
    ]


def _held_out(inputs: PostprocessInputs, count: int) -> Iterator[Record]:
    """Test records, or stretches as long as the samples if there are, spread over the whole test split."""
    corpus, domain = inputs.corpus, inputs.domain
    if not domain.open_ended:
        yield from _spread(list(itertools.islice(corpus.records("test", domain), 100 * count)), count)
        return
    spans = corpus.segments_of("test")
    # Of a small genome no held-out stretch may be as long as the samples; then the longest must do.
    length, candidates = min(inputs.sample.length, int((spans[:, 1] - spans[:, 0]).max())), []
    for record in corpus.records("test", domain):
        for start in range(0, len(record.symbols) - length + 1, length):
            part = domain.part_id(record.id, start, start + length)
            candidates.append(Record(part, record.symbols[start : start + length]))
    yield from _spread(candidates, count)


def _spread(records: Sequence[Record], count: int) -> list[Record]:
    chosen = np.linspace(0, len(records) - 1, min(count, len(records))).round().astype(int)
    return [records[number] for number in chosen]
