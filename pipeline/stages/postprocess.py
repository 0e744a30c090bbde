"""The stage `postprocess`: from raw samples to checked files, a comparison with baselines, and renders."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.build import build
from pipeline.config.composition import find_added_groups
from pipeline.config.sampling import SampleSettings
from pipeline.data.corpus import Corpus
from pipeline.domain import Domain, Render
from pipeline.evaluation.references import MAX_SEQUENCES, ReferenceMaker, write_references
from pipeline.models.checkpoint import load
from pipeline.records import (
    DomainOutput,
    Record,
    Rejection,
    ReportSection,
    Sample,
    StageResult,
    outputs_to_result,
    read_samples,
)
from pipeline.report.sample_grid import interleave_cells
from pipeline.run_folder.stage import Stage
from pipeline.stages.run_inputs import RunInputs


@dataclass(frozen=True)
class PostprocessInputs:
    """The inputs of the stage."""

    corpus: Corpus
    checkpoint: Path
    samples: Path
    domain: Domain
    sample: SampleSettings
    renders: tuple[Render, ...]
    seed: int


def build_postprocess(run: RunInputs) -> Stage:
    """Bind the settings of a run to the stage `postprocess`."""

    def action(out_dir: Path) -> StageResult:
        samples, settings = run.folder / "sample" / "samples.jsonl", run.settings
        inputs = PostprocessInputs(
            run.open_corpus(),
            run.best_checkpoint,
            samples,
            run.domain,
            settings.sample,
            run.renders,
            settings.seed,
        )
        return postprocess(inputs, out_dir)

    settings = {name: run.plain[name] for name in ("sample", "render", *find_added_groups(run.plain))}
    settings |= {"domain": run.domain_for_writing, "seed": run.settings.seed}
    return Stage("postprocess", settings, action, ("ingest", "train", "sample"))


def postprocess(inputs: PostprocessInputs, out_dir: Path) -> StageResult:
    """Check and write the samples, compare them with the reference groups, and run the renders."""
    first, records, rejected = _finish(inputs)
    raw = len(records) + len(rejected)
    outputs = [DomainOutput(rejections=tuple(rejected))]
    if records:
        length = inputs.sample.length or inputs.domain.sample_length
        maker = ReferenceMaker(inputs.corpus, inputs.domain, first, length, inputs.seed)
        references = maker.make()
        records, audited = inputs.domain.audit(records, references, out_dir)
        outputs += [DomainOutput(summary=references.remarks, conclusions=references.remarks), audited]
    if records:
        outputs.append(inputs.domain.write(records, out_dir))
        files = write_references(references, inputs.domain, out_dir / "references")
        outputs.append(_cut_to(maker.max_symbols, records, inputs.domain.symbol_name))
        compared = [_first_symbols(each, maker.max_symbols) for each in records]
        outputs += [DomainOutput(files=files), inputs.domain.compare(compared, references, out_dir)]
        in_turn = interleave_cells(inputs.domain.rank(records), inputs.sample)
        outputs += [render(in_turn, references, out_dir, inputs.seed) for render in inputs.renders]
    advice = _advise(rejected, inputs.sample) if 2 * len(rejected) > raw else ""
    outputs.insert(0, _tally(raw, len(records), advice, out_dir))
    _write_rejections(outputs, out_dir / "rejected.tsv")
    return outputs_to_result(outputs, {"raw": raw, "records": len(records)})


def _finish(inputs: PostprocessInputs) -> tuple[list[Sample], list[Record], list[Rejection]]:
    """Return the first raw samples, and all finished records and rejections."""
    origin = _origin(inputs)
    first, records, rejected = [], [], []
    for sample in read_samples(inputs.samples):
        if len(first) < MAX_SEQUENCES:
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


def _tally(raw: int, kept: int, advice: str, out_dir: Path) -> DomainOutput:
    if kept == raw:
        return DomainOutput()
    section = ReportSection("Rejected samples", (out_dir / "rejected.tsv",), f"{raw - kept} of {raw}.")
    line = f"{kept} of {raw} samples kept; the others are listed in postprocess/rejected.tsv{advice}"
    return DomainOutput(sections=(section,), summary=(line,))


def _advise(rejected: Sequence[Rejection], sample: SampleSettings) -> str:
    """The most frequent reason, and the remedies, where most samples are invalid."""
    reason, count = Counter(each.reason for each in rejected).most_common(1)[0]
    is_hot = max([sample.temperature, *sample.grid.temperatures]) > 1
    remedies = [*(["sample at temperature 1"] if is_hot else []), "train longer"]
    if "sample.length" in reason:
        remedies.append("set a larger sample.length")
    return f" (most often: {reason}, {count}). Remedy: {', or '.join(remedies)}"


def _first_symbols(record: Record, cap: int | None) -> Record:
    if cap is None or len(record.symbols) <= cap:
        return record
    return replace(record, symbols=record.symbols[:cap])


def _cut_to(cap: int | None, records: Sequence[Record], symbol: str) -> DomainOutput:
    """A line where samples are longer than the held-out real sequences."""
    if cap is None or max(len(each.symbols) for each in records) <= cap:
        return DomainOutput()
    line = f"samples are compared by their first {cap:,} {symbol}s: few held-out sequences are longer"
    return DomainOutput(summary=(line,))


def _write_rejections(outputs: Sequence[DomainOutput], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(("where", "reason", "detail"))
        for output in outputs:
            rows.writerows((r.where, r.reason, r.detail) for r in output.rejections)
