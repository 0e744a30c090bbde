"""The stage `sample`: from a checkpoint to raw sequences in `samples.jsonl`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from pipeline.config.sampling import SampleSettings
from pipeline.data.corpus import Corpus
from pipeline.domain import Domain
from pipeline.errors import DataError
from pipeline.generation.attributes import AttributeStatistics
from pipeline.generation.prompts import parse_primes, prime_files, uses_held_out
from pipeline.generation.sampling_run import SamplingRun
from pipeline.models.checkpoint import load
from pipeline.records import ReportSection, Sample, StageResult, read_samples
from pipeline.report.sample_grid import write_grid
from pipeline.run_folder.stage import Stage
from pipeline.runtime.progress import bar
from pipeline.stages.run_inputs import RunInputs

SHOWN_SAMPLES = 3


@dataclass
class _Tally:
    """Totals of the samples, which are not kept in memory."""

    count: int = 0
    symbols: int = 0
    first: list[Sample] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        self.count += 1
        self.symbols += len(sample.symbols)
        if self.count <= SHOWN_SAMPLES:
            self.first.append(sample)


def build_sample(run: RunInputs) -> Stage:
    """Bind the settings of a run to the stage `sample`."""
    settings, seed = run.settings.sample, run.settings.seed

    def action(out_dir: Path) -> StageResult:
        corpus = run.open_corpus() if (run.folder / "ingest").is_dir() else None
        return sample(run.best_checkpoint, run.domain, settings, seed, out_dir, corpus)

    # A file of primes may be missing where no samples are drawn.
    primes = prime_files(settings) if "sample" in run.settings.stages else []
    reads_corpus = uses_held_out(settings) or bool(run.domain.requested)
    needs = ("ingest", "train") if reads_corpus else ("train",)
    bound = {"sample": run.plain["sample"], "domain": run.domain_for_sampling, "seed": seed}
    return Stage("sample", bound, action, needs, primes, keeps_partial=True)


def sample(
    checkpoint: Path, domain: Domain, settings: SampleSettings, seed: int, out_dir: Path,
    corpus: Corpus | None = None,
) -> StageResult:  # fmt: skip
    """Sample the sequences and write one JSON line each, in the order of their indices.

    An interrupted file of the same settings is continued, with the same result. Raises ConfigError where the
    prime has an unknown symbol or leaves no space, and where no sequence can meet the constraints.
    """
    loaded = load(checkpoint)
    primes = parse_primes(domain, settings, loaded.alphabet, corpus)
    attributes = AttributeStatistics.count(domain, corpus)
    drawing = SamplingRun(loaded, domain, settings, seed, primes, attributes)
    several = len(drawing.requests) > 1  # raises where requests contradict each other
    requested = attributes.summary(domain)
    path = out_dir / "samples.jsonl"
    tally = _Tally()
    if not drawing.is_search:
        for each in _whole_lines(path):
            tally.add(each)
    speed = _draw(drawing, path, tally, domain.symbol_name)
    shown = out_dir / "first_samples.txt"
    texts = [domain.separator.join(each.symbols) for each in tally.first]
    shown.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    sections = [
        ReportSection("As the model wrote them", (shown,), f"The first {len(tally.first)}, unchanged.")
    ]
    if several:
        sections.insert(0, write_grid(drawing, domain, path, out_dir / "sample_grid.json"))
    unit = domain.symbol_name
    line = f"{tally.count} sequences of {tally.symbols:,} {unit}s in all, at {speed:,.0f} {unit}s a second"
    return StageResult(
        kept={"samples": tally.count, "symbols": tally.symbols},
        summary=(line, *requested),
        figures={"symbols_per_second": round(speed)},
        sections=tuple(sections),
    )


def _draw(drawing: SamplingRun, path: Path, tally: _Tally, unit: str) -> float:
    """Append the missing samples; return the symbols per second."""
    before, started = tally.symbols, time.perf_counter()
    with (
        path.open("w" if drawing.is_search else "a", encoding="utf-8") as stream,
        bar("Sampling", drawing.count, "sequence") as progress,
        _one_thread(),
    ):
        progress.update(tally.count)
        for each in drawing.samples(tally.count):
            stream.write(each.to_json() + "\n")
            tally.add(each)
            progress.update()
            rate = (tally.symbols - before) / (time.perf_counter() - started)
            progress.set_postfix_str(f"{rate:,.0f} {unit}s/s", refresh=False)
    return (tally.symbols - before) / (time.perf_counter() - started)


def _whole_lines(path: Path) -> Iterator[Sample]:
    """Yield the samples of an interrupted file, after removing an incomplete line at its end."""
    if not path.exists():
        return
    with path.open("r+b") as stream:
        whole = sum(len(line) for line in stream if line.endswith(b"\n"))
        stream.truncate(whole)
    for number, each in enumerate(read_samples(path)):
        if each.index != number:
            raise DataError(f"{path}:{number + 1}: sample {each.index}, not {number}; remove the file")
        yield each


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: more do not speed up a decode step, and would change the rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
