"""The ABC files of a run: all tunes, the best tunes, and the list of repairs."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.domains.music.abc.tune_text import format_tune
from pipeline.domains.music.plural import format_count
from pipeline.records import RESULTS, DomainOutput, Record, ReportSection

MAX_BEST_TUNES = 12
_HEAD = "%abc-2.1\n% Synthetic tunes, made by a model; a tune ends at an empty line.\n\n"


def write_tunes(records: Sequence[Record], ranked: Sequence[Record], out_dir: Path) -> DomainOutput:
    """Write `tunes.abc` in the order sampled, `best_tunes.abc`, and `repairs.tsv` where tunes were repaired.

    `ranked` are the same records, the best first.
    """
    path = _write_book(records, out_dir / "tunes.abc")
    best = _write_book(ranked[:MAX_BEST_TUNES], out_dir / "best_tunes.abc")
    repaired = sum("repaired" in record.metadata for record in records)
    as_sampled = len(records) - repaired
    added = f", {repaired} of them repaired, {as_sampled} as they were sampled" if repaired else ""
    said = "The best first, by simple checks that each tune states (docs/explanation/tune-metrics.md)."
    sections = [
        ReportSection("The best tunes", (best,), said, part=RESULTS),
        ReportSection("All tunes as sampled", (path,), "ABC notation, for any ABC program.", part=RESULTS),
    ]
    files = [path, best]
    if repaired:
        files.append(_list_repairs(records, out_dir / "repairs.tsv"))
        sections.append(ReportSection("Repairs", (files[-1],), "The edits that made tunes valid."))
    return DomainOutput(
        sections=tuple(sections),
        summary=(f"{format_count(len(records), 'tune')} in {path.name}{added}",),
        figures={"tunes": len(records), "tunes_repaired": repaired},
        files=tuple(files),
    )


def _write_book(records: Sequence[Record], path: Path) -> Path:
    book = "".join(format_tune(record, number) for number, record in enumerate(records, 1))
    path.write_text(_HEAD + book, encoding="utf-8")
    return path


def _list_repairs(records: Sequence[Record], path: Path) -> Path:
    rows = [(r.id, each) for r in records for each in r.metadata.get("repaired", "").split("; ") if each]
    lines = (f"{name}\t{edit}\n" for name, edit in [("tune", "edit"), *rows])
    path.write_text("".join(lines), encoding="utf-8")
    return path
