"""The stage `ingest`: from files to an encoded corpus with a split."""

import csv
import logging
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.config.schema import SplitSettings
from pipeline.data.alphabet import Alphabet
from pipeline.data.corpus import SUBSETS, Corpus, CorpusWriter
from pipeline.data.deduplication import DuplicateFinder
from pipeline.data.pretrained_held_out import PretrainedHeldOut
from pipeline.data.sources import held_out_list_path
from pipeline.data.split_file import PrescribedSplit, resolve_split_files
from pipeline.data.split_policy import Split, Splitter
from pipeline.data.unique_names import UniqueNames
from pipeline.domain import Domain
from pipeline.errors import DataError
from pipeline.records import Notice, Record, Rejection, ReportSection, StageResult
from pipeline.run_folder.stage import Stage
from pipeline.runtime.bgzip_truncation import lacks_end_marker
from pipeline.runtime.progress import bar
from pipeline.stages.run_inputs import RunInputs

log = logging.getLogger(__name__)

MIN_HELD_OUT = 16
"""Symbols of a held-out split, at least; fewer measure nothing."""
MAX_LISTED_REJECTIONS = 10_000
MAX_SHOWN_NOTICES = 10
MAX_SHOWN_CHANGES = 6
TRUNCATED = "the end-of-file marker of bgzip is absent: the file may be truncated; fetch or compress it again"
MAX_SHOWN_REASONS = 3


def build_ingest(run: RunInputs) -> Stage:
    """Bind the settings of a run to the stage `ingest`."""
    dataset, held_out_list = run.settings.dataset, held_out_list_path(run.settings.dataset)

    def action(out_dir: Path) -> StageResult:
        try:
            result = ingest(run.files, run.domain, dataset.split, dataset.unknown, out_dir, held_out_list)
        except DataError as error:
            if dataset.advice is None or dataset.path is not None:
                raise
            raise DataError(f"{error}; {dataset.advice}") from None
        shipped = dataset.title if dataset.path is None else None
        title = {"data": shipped or run.domain.title_data(run.files)}
        return replace(result, figures={**title, **result.figures})

    data = {name: run.plain["dataset"][name] for name in ("path", "source", "unknown", "split")}
    inputs = [*run.files, *run.domain.auxiliary_files(), *resolve_split_files(dataset.split)]
    inputs += [held_out_list] if held_out_list is not None else []
    settings = {"dataset": data, "domain": run.domain_for_reading}
    return Stage("ingest", settings, action, inputs=inputs if run.files else [])


def ingest(
    files: Sequence[Path], domain: Domain, split: SplitSettings, unknown: str, out_dir: Path,
    held_out_list: Path | None = None,
) -> StageResult:  # fmt: skip
    """Read, deduplicate, encode and split the records of `files` into a corpus in `out_dir`.

    `held_out_list` lists the records that the pretrained checkpoint was not trained on (see
    `data/pretrained_held_out.py`). They are held out where the settings choose no other split. Raises
    DataError where no record is left, or fewer symbols than the split needs.
    """
    prescribed = next((PrescribedSplit(path) for path in resolve_split_files(split)), None)
    splitter = Splitter(
        split, prescribed, PretrainedHeldOut(held_out_list) if held_out_list is not None else None
    )
    rejected: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    notices: list[Notice] = []
    progress = bar("Reading", unit=domain.symbol_name)
    items = _without_notices(_read(files, domain, prescribed), notices)
    records, names = _keep(items, domain, out_dir / "rejected.tsv", rejected), UniqueNames()
    with CorpusWriter(out_dir, domain, unknown) as writer, progress, closing(records):
        for record in map(names.rename, records):
            writer.append(record)
            changed.update(record.metadata["changes"].split("; ") if "changes" in record.metadata else ())
            splitter.add(record, domain)
            progress.update(len(record.symbols))
        if writer.unknown_count:
            rejected[f"unknown symbols ({unknown})"] = writer.unknown_count
        if not writer.record_count:
            raise DataError(_nothing_kept(files, rejected))
        spans, chosen = writer.spans, splitter.split(writer, domain)
        _check_sizes(chosen.segments, spans, split, files)
        segments = _with_variants(chosen.segments, writer, domain)
        alphabet = writer.finish(chosen.held_out)
    np.save(out_dir / "segments.npy", segments)
    result = _result(Corpus.open(out_dir), alphabet, domain, len(spans), rejected, chosen)
    lines = (*_change_lines(changed), *_notice_lines(notices, names))
    return replace(result, summary=(*result.summary, *lines))


def _read(
    files: Sequence[Path], domain: Domain, prescribed: PrescribedSplit | None
) -> Iterator[Record | Rejection | Notice]:
    """Yield the items of all files; of several files, an unreadable one is a rejection."""
    lacking, unreadable = Counter[Rejection](), 0
    for path in domain.auxiliary_files():
        if lacks_end_marker(path):
            yield Notice(str(path), TRUNCATED)
    for path in files:
        items = domain.read_corpus(path)
        symbols = 0
        try:
            for item in prescribed.track_lengths(items, path) if prescribed is not None else items:
                if isinstance(item, Rejection) and item.everywhere:
                    lacking[item] += 1
                    continue
                symbols += len(item.symbols) if isinstance(item, Record) else 0
                yield item
        except DataError as error:
            if len(files) == 1:
                raise
            log.warning("left out: %s", error)
            yield Rejection(str(path), "unreadable file", str(error))
            unreadable += 1
            continue
        if lacks_end_marker(path):
            yield Notice(str(path), f"{TRUNCATED}; {symbols:,} {domain.symbol_name}s were read from it")
    yield from (each for each, count in lacking.items() if count + unreadable >= len(files))


def _without_notices(
    items: Iterable[Record | Rejection | Notice], notices: list[Notice]
) -> Iterator[Record | Rejection]:
    """Yield records and rejections; log each notice once and append it to `notices`."""
    for item in items:
        if not isinstance(item, Notice):
            yield item
        elif item not in notices:
            notices.append(item)
            log.warning("%s", item)


def _change_lines(changed: Counter[str]) -> list[str]:
    """The line on changes of records while they were read (see `Record.metadata`)."""
    named = "; ".join(f"{change} in {count:,}" for change, count in changed.most_common(MAX_SHOWN_CHANGES))
    more = len(changed) - MAX_SHOWN_CHANGES
    more_text = f"; and {more} more kinds in records.tsv" if more > 0 else ""
    return [f"records read with changes: {named}{more_text}"] if changed else []


def _notice_lines(notices: Sequence[Notice], names: UniqueNames) -> list[str]:
    """The lines of the summary on notices and on repeated ids."""
    if names.renamed:
        text = f"{names.renamed:,} with the id of an earlier one got their own, such as {names.example}"
        notices = [*notices, Notice("records", text)]
        log.warning("%s", notices[-1])
    more = len(notices) - MAX_SHOWN_NOTICES
    lines = [str(notice) for notice in notices[:MAX_SHOWN_NOTICES]]
    return [*lines, f"and {more:,} more notices in pipeline.log"] if more > 0 else lines


def _keep(
    items: Iterable[Record | Rejection], domain: Domain, table: Path, rejected: Counter[str]
) -> Generator[Record, None, None]:
    """Yield records that are not duplicates; count rejections and list them in `table`."""
    duplicates, rows_written, listed = DuplicateFinder(domain), 0, 0
    with table.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter="\t", lineterminator="\n")
        rows.writerow(("where", "reason", "detail"))
        for item in items:
            if isinstance(item, Record):
                duplicate = duplicates.find(item)
                if duplicate is None:
                    yield item
                    continue
                item = duplicate
            rejected[item.reason] += item.count
            if rows_written < MAX_LISTED_REJECTIONS:
                rows_written += 1
                listed += item.count
                rows.writerow((item.where, item.reason, item.detail))
        if rejected.total() > listed:
            rows.writerow(("", f"and {rejected.total() - listed:,} more", ""))


def _check_sizes(
    segments: np.ndarray, spans: np.ndarray, split: SplitSettings, files: Sequence[Path]
) -> None:
    """Raise DataError where a split is too small to train on or to measure."""
    total = int(spans[-1, 1])
    for kind, name in enumerate(SUBSETS):
        chosen = segments[segments[:, 2] == kind]
        size = int((chosen[:, 1] - chosen[:, 0]).sum())
        if size < MIN_HELD_OUT:
            remedy = "" if name == "train" else f", or a larger dataset.split.{name}"
            remedy = f", or more rows for it in {split.file}" if split.file is not None else remedy
            raise DataError(
                f"{_names(files)}: {_records(len(spans))} with {total} symbols is too little for the split: "
                f"{name} would have {size} symbol{'s' * (size != 1)}, at least {MIN_HELD_OUT} are needed; "
                f"give more data{remedy}"
            )


def _with_variants(segments: np.ndarray, writer: CorpusWriter, domain: Domain) -> np.ndarray:
    """Write the variants of the training records, and add their segments.

    A record has variants only if it is in the training split as a whole; parts have them in open-ended
    domains.
    """
    if type(domain).variants is Domain.variants:
        return segments
    spans, train = writer.spans, SUBSETS.index("train")
    whole = (segments[:, :2] == spans[segments[:, 3]]).all(axis=1)
    for record in writer.read_back(segments[(segments[:, 2] == train) & (whole | domain.open_ended)]):
        for variant in domain.variants(record):
            writer.append(variant)
    added = writer.spans[len(spans) :]
    numbers = np.arange(len(spans), len(spans) + len(added))
    return np.concatenate([segments, np.column_stack([added, np.full(len(added), train), numbers])])


def _nothing_kept(files: Sequence[Path], rejected: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} ({count})" for reason, count in rejected.most_common(5)) or "it is empty"
    return f"{_names(files)}: no record could be kept: {reasons}; give a file with whole records"


def _reasons(rejected: Counter[str]) -> str:
    """The most frequent reasons, with their counts."""
    shown = [f"{reason} {count:,}" for reason, count in rejected.most_common(MAX_SHOWN_REASONS)]
    return ", ".join([*shown, "…"] if len(rejected) > MAX_SHOWN_REASONS else shown)


def _names(files: Sequence[Path]) -> str:
    more = {1: "", 2: " and one more file"}.get(len(files), f" and {len(files) - 1} more files")
    return f"{files[0]}{more}"


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count:,} records"


def _result(
    corpus: Corpus, alphabet: Alphabet, domain: Domain, records: int, rejected: Counter[str], split: Split
) -> StageResult:
    """Describe a corpus; its first `records` records were read, and the others are variants."""
    out_dir = corpus.folder
    table = out_dir / "corpus.tsv"
    with table.open("w", encoding="utf-8") as stream:
        stream.write(f"subset\tsegments\t{domain.symbol_name}s\tshare\n")
        for name in SUBSETS:
            size = corpus.subset_size(name)
            stream.write(
                f"{name}\t{len(corpus.subset_segments(name))}\t{size}\t{size / len(corpus.codes):.1%}\n"
            )
    symbols, variants = int(corpus.record_spans[records - 1, 1]), len(corpus.record_spans) - records
    added = len(corpus.codes) - symbols
    added_text = f", {variants:,} variants for training with {added:,} more" if variants else ""
    dropped = f", {rejected.total():,} rejected ({_reasons(rejected)})" if rejected else ""
    line = (
        f"{_records(records)} with {symbols:,} {domain.symbol_name}s "
        f"over {len(alphabet.symbols)} symbols{added_text}{dropped}"
    )
    sections = [ReportSection("Corpus and split", (table,), ". ".join([line, *split.lines]))]
    if rejected:
        sections.append(ReportSection("Rejected while reading", (out_dir / "rejected.tsv",)))
    left_out = {"records_in_no_subset": split.left_out} if split.left_out else {}
    more = {"variants": variants, "variant_symbols": added} if variants else {}
    return StageResult(
        kept={"records": records, "symbols": symbols, **more, **left_out},
        rejected=dict(rejected),
        summary=(*([domain.remark] if domain.remark else []), line, *split.lines),
        figures={
            "records": records,
            "symbols": symbols,
            **more,
            "vocab_size": len(alphabet),
            **split.figures,
        },
        sections=tuple(sections),
    )
