"""The stage `score`: the surprisal of given sequences under the model, symbol by symbol."""

import csv
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipeline.config.sampling import ScoreSettings
from pipeline.data.alphabet import Alphabet
from pipeline.data.sources import locate
from pipeline.domain import Domain
from pipeline.errors import ConfigError, DataError
from pipeline.generation.sampling_run import resolve_accelerator
from pipeline.generation.surprisal import compute_surprisals
from pipeline.models.checkpoint import load
from pipeline.records import RESULTS, Record, ReportSection, StageResult, Symbols, outputs_to_result
from pipeline.run_folder.stage import Stage
from pipeline.runtime.progress import track
from pipeline.stages.run_inputs import RunInputs

Scored = tuple[Record, np.ndarray]
"""A record, and the surprisal of each symbol in bits."""


def files_to_score(settings: ScoreSettings, domain: Domain) -> list[Path]:
    """Return the files that `score.path` names; raise ConfigError where it is not set."""
    if settings.path is None:
        raise ConfigError("stages=[score]: set score.path=FILE, FOLDER or 'GLOB', the sequences to be scored")
    return locate(settings.path, [], domain.accepts_file)


def build_score(run: RunInputs) -> Stage:
    """Bind the settings of a run to the stage `score`."""
    settings, domain, files = run.settings, run.scored_domain, list(run.scored_files)

    def action(out_dir: Path) -> StageResult:
        device = resolve_accelerator(settings.sample)
        context = settings.score.context if domain.reads_parts else 0
        return score(run.best_checkpoint, domain, files, settings.dataset.unknown, out_dir, device, context)

    bound = {"unknown": settings.dataset.unknown, "domain": run.domain_for_reading, "seed": settings.seed}
    bound |= {name: run.plain["domain"].get(name) for name in run.domain.score_settings}
    bound["context"] = settings.score.context
    inputs = [*files, *domain.auxiliary_files()] if files else []
    return Stage("score", bound, action, ("train",), inputs)


def score(
    checkpoint: Path, domain: Domain, files: list[Path], unknown: str, out_dir: Path,
    device: torch.device | str = "cpu", context: int = 0,
) -> StageResult:  # fmt: skip
    """Write `records.tsv` (a row per sequence), `symbols.tsv` (a row per symbol), and the tracks of the
    domain.

    Where a sequence is a part of a longer one, the model first reads up to `context` symbols before it, which
    are not scored.

    Raises DataError where no sequence can be read, or one has a symbol that the model does not know and
    `unknown` is "error".
    """
    loaded = load(checkpoint)
    alphabet, with_context = loaded.alphabet, 0

    def read() -> Iterator[tuple[Record, np.ndarray]]:
        """Yield the records and the codes before each."""
        nonlocal with_context
        for record, before in _records(domain, files, context):
            with_context += len(before) > 0
            yield _known(record, alphabet, unknown), alphabet.encode(before, "replace")

    ours, for_model = itertools.tee(read())
    codes = (np.concatenate([before, alphabet.encode(each.symbols, "replace")]) for each, before in for_model)
    nats = compute_surprisals(loaded.model.to(device), codes, not domain.open_ended)
    scored = (
        (each, found[len(before) :][: len(each.symbols)] / np.log(2))
        for (each, before), found in zip(ours, nats, strict=True)
    )
    raw = out_dir / "bits.f32"
    heads = _write_tables(track(scored, "Scoring", unit="sequence"), out_dir, raw)
    if not heads:
        raise DataError(f"{files[0]}: no sequence of score.path can be read as this domain")
    bits = np.memmap(raw, np.float32, "r")
    ends = np.cumsum([size for _, size in heads])
    tracks = zip((head for head, _ in heads), np.split(bits, ends[:-1]), strict=True)
    outputs = domain.write_tracks(tracks, out_dir)
    mean, unit = float(bits.mean(dtype=np.float64)), domain.symbol_name
    del bits, tracks
    raw.unlink()
    result = outputs_to_result([outputs], {"sequences": len(heads), "symbols": int(ends[-1])})
    table = ReportSection(
        "Sequences by surprisal", (out_dir / "records.tsv",), "Of each symbol: symbols.tsv.", part=RESULTS
    )
    after = f"; {with_context} of them after up to {context:,} {unit}s of left context" if context else ""
    return replace(
        result, sections=(table, *result.sections), figures={**result.figures, "scored_bits": mean},
        summary=(f"sequences scored: {len(heads)}, with {mean:.3f} bits per {unit}{after}", *result.summary),
    )  # fmt: skip


def _records(domain: Domain, files: Iterable[Path], context: int) -> Iterator[tuple[Record, Symbols]]:
    """Yield all records, and up to `context` symbols before each in its file."""
    for file in files:
        before = _contexts(domain, file, context) if context else {}
        for each in domain.read_corpus(file):
            if isinstance(each, Record):
                yield each, before.get(_position(each), each.symbols[:0])


def _contexts(domain: Domain, file: Path, context: int) -> dict[tuple[str, int], Symbols]:
    """Return the symbols before each part of a sequence, by its position; reversed parts have none."""
    wanted: dict[str, list[int]] = {}
    for each in domain.read_corpus(file):
        if isinstance(each, Record):
            source, start = _position(each)
            wanted.setdefault(source, []).append(start)
    found = {}
    for whole in domain.read(file):
        if not isinstance(whole, Record):
            continue
        source, first = _position(whole)
        for start in wanted.get(source, ()):
            offset = start - first
            if 0 < offset < len(whole.symbols):
                found[source, start] = whole.symbols[max(0, offset - context) : offset]
    return found


def _position(record: Record) -> tuple[str, int]:
    """Return the name of the source sequence, and the position in it where the record starts, from 1."""
    return record.metadata.get("source", record.id), int(record.metadata.get("start", 1))


def _known(record: Record, alphabet: Alphabet, unknown: str) -> Record:
    """Return the record as the model reads it."""
    return replace(record, symbols=alphabet.decode(alphabet.encode(record.symbols, unknown, record.id)))


def _write_tables(scored: Iterable[Scored], out_dir: Path, raw: Path) -> list[tuple[Record, int]]:
    """Write both tables and all bits as float32; return the records without symbols, and their lengths."""
    heads = []
    with (
        (out_dir / "records.tsv").open("w", encoding="utf-8", newline="") as by_record,
        (out_dir / "symbols.tsv").open("w", encoding="utf-8", newline="") as by_symbol,
        raw.open("wb") as numbers,
    ):
        records, symbols = (
            csv.writer(each, delimiter="\t", lineterminator="\n") for each in (by_record, by_symbol)
        )
        records.writerow(("record", "symbols", "bits", "bits_per_symbol"))
        symbols.writerow(("record", "position", "symbol", "bits"))
        for record, bits in scored:
            size = len(record.symbols)
            records.writerow((record.id, size, f"{bits.sum():.3f}", f"{bits.mean():.4f}" if size else ""))
            symbols.writerows(_rows(record, bits))
            numbers.write(bits.astype(np.float32).tobytes())
            heads.append((replace(record, symbols=""), size))
    return heads


def _rows(record: Record, bits: np.ndarray) -> Iterator[tuple[str, int, str, str]]:
    for position, (symbol, value) in enumerate(zip(record.symbols, bits.tolist(), strict=True), start=1):
        yield record.id, position, symbol, f"{value:.4f}"
