"""A corpus on disk: memory-mapped codes, the spans of the records in them, and the split.

The folder has ``codes.bin`` (the codes of all records, each with an end code where sequences of the domain
have an end), ``marks.bin`` (one byte per code, where the domain has marks), ``records.tsv``, ``records.npy``,
``segments.npy`` and ``corpus.json``. Begin codes are not stored. A reader adds one where a segment starts, so
that every code in the file is predicted exactly once.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.data.alphabet import EOS, SPECIALS, UNKNOWN, Alphabet
from pipeline.data.corpus_files import RERUN_INGEST, check_codes, check_spans, find_row, read_rows, read_table
from pipeline.domain import Domain
from pipeline.records import Record, Symbols
from pipeline.runtime.files import reading_back
from pipeline.runtime.plain_data import check, load_json

SUBSETS = ("train", "validation", "test")
BUFFER_BYTES = 2**20
"""Size of the write buffer."""
_TO_JSON = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True)
class Corpus:
    """An encoded corpus, opened for reading.

    `segments` is ``(n, 4)`` int64: start and stop (half-open, in codes), index into `SUBSETS`, and index of
    the record. `record_spans` is ``(records, 2)``. Where the split follows the held-out list of a checkpoint,
    `held_out` is the digest in this checkpoint.
    """

    folder: Path
    alphabet: Alphabet
    mark_names: tuple[str, ...]
    codes: np.ndarray
    marks: np.ndarray | None
    segments: np.ndarray
    record_spans: np.ndarray
    held_out: str | None = None

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Open a folder; raise DataError where it does not hold a whole corpus."""
        with reading_back(folder, RERUN_INGEST, "not a whole corpus"):
            about = load_json((folder / "corpus.json").read_text(encoding="utf-8"))
            for name in ("alphabet", "mark_names"):
                check(about[name], list[str], name)
            check(about.get("held_out"), str | None, "held_out")
            alphabet, names = Alphabet(about["alphabet"]), tuple(about["mark_names"])
            codes = np.memmap(folder / "codes.bin", alphabet.dtype, "r")
            marks = np.memmap(folder / "marks.bin", np.uint8, "r") if names else None
            segments, spans = read_table(folder / "segments.npy", 4), read_table(folder / "records.npy", 2)
            check_spans(segments, spans, len(SUBSETS))
            # Compared before the codes are read, because a sparse file can claim any length.
            if len(codes) != spans[-1, 1] or (marks is not None and len(marks) != len(codes)):
                raise ValueError(f"{len(codes)} codes, and records up to {spans[-1, 1]}")
            check_codes(codes, len(alphabet), "codes")
            if marks is not None:
                check_codes(marks, len(names), "marks")
            return cls(folder, alphabet, names, codes, marks, segments, spans, about.get("held_out"))

    def subset_segments(self, subset: str) -> np.ndarray:
        """Return the starts and stops of one of `SUBSETS`, ``(n, 2)``."""
        return self.segments[self.segments[:, 2] == SUBSETS.index(subset), :2]

    def subset_size(self, subset: str) -> int:
        """Count the codes of one of `SUBSETS`."""
        spans = self.subset_segments(subset)
        return int((spans[:, 1] - spans[:, 0]).sum())

    def digest(self, subset: str) -> str:
        """Return a sha256 of the symbols of a subset: the same for the same data and split."""
        digest = hashlib.sha256(json.dumps(list(self.alphabet.symbols)).encode())
        for start, stop in self.subset_segments(subset).tolist():
            digest.update(self.codes[start:stop].tobytes())
        return digest.hexdigest()

    def complement_codes(self, domain: Domain) -> np.ndarray | None:
        """Return the code of the complement for each code, ``(vocab_size,)``.

        Returns None where a reverse complement is not as likely as the sequence: without a complement, and
        where sequences have an end, and so a direction.
        """
        if domain.complement is None or not domain.open_ended:
            return None
        table = np.arange(len(self.alphabet))
        for symbol, partner in domain.complement.items():
            table[self.alphabet.code(symbol)] = self.alphabet.code(partner)
        return table

    def records(self, subset: str, domain: Domain) -> Iterator[Record]:
        """Decode the records, or parts of records, of a subset one at a time, in their order.

        The metadata of a part has its `source` and `start`, as of every record that is a part of another.
        """
        chosen = self.segments[self.segments[:, 2] == SUBSETS.index(subset)]
        with (self.folder / "records.tsv").open(encoding="utf-8") as table:
            rows = read_rows(table)
            number, name, metadata = -1, "", {}
            for start, stop, _, record in chosen[np.argsort(chosen[:, 3], kind="stable")].tolist():
                if record != number:
                    number, name, metadata = find_row(rows, record, self.folder)
                first, last = self.record_spans[record].tolist()
                marks = self.marks[start:stop].tobytes() if self.marks is not None else None
                symbols = self.alphabet.decode(self.codes[start:stop])
                whole = Record(name, symbols, metadata, marks)
                yield whole if (start, stop) == (first, last) else _part(whole, start - first, domain)

    @cached_property
    def record_ids(self) -> list[str]:
        """Ids in the order of `record_spans`."""
        with (self.folder / "records.tsv").open(encoding="utf-8") as stream:
            next(stream)
            return [line.split("\t", 1)[0] for line in stream]


def _part(record: Record, offset: int, domain: Domain) -> Record:
    """Name a part by its position; `record` has its symbols, and the name and metadata of the whole
    record."""
    position = {
        "source": record.metadata.get("source", record.id),
        "start": str(int(record.metadata.get("start", 1)) + offset),
    }
    stop = offset + len(record.symbols)
    known = {key: value for key, value in record.metadata.items() if key != "end"}
    return replace(record, id=domain.part_id(record.id, offset, stop), metadata={**known, **position})


class CorpusWriter:
    """Appends records to a corpus folder; a context manager. Its memory does not grow with the symbols.

    Where the alphabet is collected from the data, codes are first numbered in order of appearance. `finish`
    then renumbers them in sorted order.
    """

    def __init__(self, folder: Path, domain: Domain, unknown: str) -> None:
        self.folder, self.domain, self.unknown = folder, domain, unknown
        self.fixed = Alphabet(domain.alphabet) if domain.alphabet is not None else None
        self._seen: dict[str, int] = {}
        self._ends = array("q", [0])
        self.unknown_count = 0
        self._codes = (folder / "codes.bin").open("wb", BUFFER_BYTES)
        self._marks = (folder / "marks.bin").open("wb", BUFFER_BYTES) if domain.mark_names else None
        self._unmarked = 0
        self._records = (folder / "records.tsv").open("w", encoding="utf-8")
        self._records.write("id\tlength\tmetadata\n")

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._marks is not None and not self._marks.closed:
            self._marks.truncate(self._ends[-1])
        for stream in (self._codes, self._marks, self._records):
            if stream is not None:
                stream.close()

    @property
    def record_count(self) -> int:
        """Records written so far."""
        return len(self._ends) - 1

    def append(self, record: Record) -> None:
        """Encode and write one record; raise DataError for an unknown symbol where the policy is error."""
        codes, marks = self._encode(record)
        if not self.domain.open_ended:
            codes = np.append(codes, codes.dtype.type(EOS))
            marks = marks + b"\x00" if marks is not None else None
        self._codes.write(codes.data)
        self._write_marks(marks, len(codes))
        name = " ".join(record.id.split()) or f"record_{self.record_count + 1}"
        metadata = _TO_JSON.encode(dict(record.metadata))
        self._records.write(f"{name}\t{len(record.symbols)}\t{metadata}\n")
        self._ends.append(self._ends[-1] + len(codes))

    def _write_marks(self, marks: bytes | None, count: int) -> None:
        """Write marks; those that are all zero become a hole in the file, which takes no space on the
        disk."""
        if self._marks is None:
            return
        if marks is None or marks == bytes(count):
            self._unmarked += count
            return
        if self._unmarked:
            self._marks.seek(self._unmarked, os.SEEK_CUR)
            self._unmarked = 0
        self._marks.write(marks)

    @property
    def spans(self) -> np.ndarray:
        """``(records, 2)`` starts and stops, in codes, of the records written so far."""
        ends = np.array(self._ends, np.int64)
        return np.column_stack([ends[:-1], ends[1:]])

    @property
    def codes_path(self) -> Path:
        """The file of the codes of all records written so far."""
        self._codes.flush()
        return self.folder / "codes.bin"

    def read_back(self, segments: np.ndarray) -> Iterator[Record]:
        """Read the records, or parts of records, of segments (see `Corpus`) that were written so far.

        They come in the order of the records, and without marks.
        """
        self._records.flush()
        alphabet, codes_path = self.fixed or Alphabet(self._seen), self.codes_path
        dtype = np.dtype(alphabet.dtype if self.fixed else np.uint16)
        chosen = segments[np.argsort(segments[:, 3], kind="stable")].tolist()
        with (self.folder / "records.tsv").open(encoding="utf-8") as table:
            rows = read_rows(table)
            number, name, metadata = -1, "", {}
            for start, stop, _, record in chosen:
                if record != number:
                    number, name, metadata = find_row(rows, record, self.folder)
                codes = np.fromfile(codes_path, dtype, stop - start, offset=start * dtype.itemsize)
                whole = Record(name, alphabet.decode(codes), metadata)
                first, last = self._ends[record : record + 2]
                yield whole if (start, stop) == (first, last) else _part(whole, start - first, self.domain)

    def finish(self, held_out: str | None = None) -> Alphabet:
        """Fix the alphabet and write all files but the segments; call once, after the last record.

        `held_out` as in `Corpus`.
        """
        self.__exit__()
        np.save(self.folder / "records.npy", self.spans)
        alphabet = self.fixed or Alphabet(sorted(self._seen))
        if self.fixed is None:
            self._renumber_codes(alphabet)
        about = {"alphabet": alphabet.symbols, "mark_names": self.domain.mark_names, "held_out": held_out}
        text = json.dumps(about, ensure_ascii=False, indent=1)
        (self.folder / "corpus.json").write_text(text, encoding="utf-8")
        return alphabet

    def _encode(self, record: Record) -> tuple[np.ndarray, bytes | None]:
        if self.fixed is None:
            return self._collect(record.symbols), record.marks
        policy = "error" if self.unknown == "error" else "replace"
        codes, marks = self.fixed.encode(record.symbols, policy, record.id), record.marks
        if self.unknown == "error":
            return codes, marks
        known = codes != UNKNOWN
        self.unknown_count += int((~known).sum())
        if self.unknown == "drop":
            codes = codes[known]
            marks = np.frombuffer(marks, np.uint8)[known].tobytes() if marks is not None else None
        return codes, marks

    def _collect(self, symbols: Symbols) -> np.ndarray:
        """Return codes that are numbered in order of appearance."""
        seen = self._seen
        for symbol in dict.fromkeys(symbols):
            seen.setdefault(symbol, len(seen) + len(SPECIALS))
        if len(seen) > 2**16 - len(SPECIALS):
            Alphabet(seen)  # raises, with the allowed number
        return np.fromiter((seen[symbol] for symbol in symbols), np.uint16, len(symbols))

    def _renumber_codes(self, alphabet: Alphabet) -> None:
        table = np.zeros(len(self._seen) + len(SPECIALS), alphabet.dtype)
        table[EOS] = EOS
        for symbol, provisional in self._seen.items():
            table[provisional] = alphabet.code(symbol)
        draft = self.folder / "codes.draft"
        (self.folder / "codes.bin").rename(draft)
        provisional_codes = np.memmap(draft, np.uint16, "r")
        with (self.folder / "codes.bin").open("wb") as stream:
            for at in range(0, len(provisional_codes), 2**22):
                stream.write(table[provisional_codes[at : at + 2**22]].tobytes())
        del provisional_codes
        draft.unlink()
