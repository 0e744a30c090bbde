"""Plain values that stages, domains and renders hand on: records, samples, report sections, outputs."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from pipeline.runtime.files import open_regular, reading_back
from pipeline.runtime.plain_data import build_checked, load_json

Symbols = str | tuple[str, ...]
"""A sequence of symbols: a string where every symbol is one character, else a tuple of strings."""


@dataclass(frozen=True, slots=True)
class Record:
    """One sequence with a name: a stretch of DNA, a tune, a headline.

    `marks` has one byte a symbol, an index into `Domain.mark_names`; scores are reported apart by mark. The
    metadata of a record cut out of a longer one says where it stood: `source`, the other's name, and `start`,
    its first symbol counted from 1. Where a source prescribes the split, `subset` says train, validation or
    test. Records with an equal `group` stay on one side of the split. `changes` says what of the source was
    left out or written otherwise: short countable phrases with "; " between them.
    """

    id: str
    symbols: Symbols
    metadata: Mapping[str, str] = field(default_factory=dict)
    marks: bytes | None = None

    @property
    def text(self) -> str:
        """The symbols, joined."""
        return self.symbols if isinstance(self.symbols, str) else "".join(self.symbols)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that was not kept: `where` it stood, a short countable `reason`, and what was found.

    Where very many small things side by side are not kept for one reason, `count` says how many. With
    `everywhere` it counts only if every file of the corpus gives it: what one file lacks another may have.
    """

    where: str
    reason: str
    detail: str = ""
    count: int = 1
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A fact about a file that the user must know, although nothing is left out because of it.

    Notices stand in the log, in the summary of the run, in its manifest and in its report.
    """

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One raw sequence from a model. `log_probability` (nats) is that of the symbols after the prime.

    `temperature` is what it was drawn with, None where it was searched; `ranked_by` what it was chosen for
    among others, where it was.
    """

    index: int
    seed: int
    symbols: Symbols
    prime_length: int
    ended: bool
    log_probability: float
    temperature: float | None = None
    ranked_by: float | None = None

    @property
    def bits_per_symbol(self) -> float:
        """Mean surprisal of the sampled symbols, in bits; the end symbol counts where one was drawn."""
        drawn = len(self.symbols) - self.prime_length + self.ended
        return -self.log_probability / max(drawn, 1) / 0.6931471805599453

    @property
    def text(self) -> str:
        """The symbols, joined."""
        return "".join(self.symbols)

    def to_json(self) -> str:
        """One line of `samples.jsonl`."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Sample":
        """The inverse of `to_json`. Raises ValueError where the line is no sample."""
        values = load_json(line)
        if isinstance(values, dict) and isinstance(values.get("symbols"), list):
            values["symbols"] = tuple(values["symbols"])
        sample = build_checked(cls, values)
        if sample.index < 0 or not 0 <= sample.prime_length <= len(sample.symbols):
            raise ValueError("a sample out of range")
        return sample


def read_samples(path: Path) -> Iterator[Sample]:
    """The samples of a `samples.jsonl`. Raises DataError, with the line, where one is damaged."""
    with open_regular(path) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(MAX_SAMPLE_BYTES), b""), start=1):
            with reading_back(Path(f"{path}:{number}"), "run the sample stage again: stages=[sample]"):
                sample = Sample.from_json(line)
            yield sample


MAX_SAMPLE_BYTES = 2**30
"""Of a line of `samples.jsonl`."""


RESULTS, QUALITY, DETAILS = "results", "quality", "details"
"""The parts of a report, see `ReportSection`."""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A file that the report shows, by its suffix: .tsv a table; .svg, .png a picture; .wav, .mp3, .ogg a
    player; .txt, .fasta, .abc text; .json a sample grid; anything else a link. `files` may show several
    pictures or sounds in a row, under one title.

    `part` says where the report shows it: RESULTS (what the run was made for), QUALITY (how good that is), or
    DETAILS, in the section of its stage."""

    title: str
    files: tuple[Path, ...]
    caption: str = ""
    part: str = DETAILS


@dataclass(frozen=True, slots=True)
class DomainOutput:
    """What a domain or a render made: sections for the report, lines for the end of the run, figures by
    name, all files written, and what was rejected.

    `conclusions` are those lines of the summary that say how good the samples are; the report opens with the
    first few. `warnings` are lines of the summary that come before all others. `notes` explain a figure by
    its name.
    """

    sections: tuple[ReportSection, ...] = ()
    summary: tuple[str, ...] = ()
    conclusions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def combine(self, other: "DomainOutput") -> "DomainOutput":
        """Both, in this order."""
        both = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in both.items():
            more = getattr(other, name)
            both[name] = {**value, **more} if isinstance(value, Mapping) else (*value, *more)
        return DomainOutput(**both)

    figures: Mapping[str, float | str | None] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    rejections: tuple[Rejection, ...] = ()


@dataclass(frozen=True)
class References:
    """The reference groups that samples are compared with.

    `groups` maps a name to sequences, in the order to show them: "held-out real" (of the test split, cut to
    the samples' lengths where the domain is open-ended), "Markov order k" (sampled from a chain whose order
    is too low to repeat the training data), "shuffled" (the samples, dinucleotide counts kept). `training`
    yields the training records again at each call, one at a time, so that a large genome need not fit in
    memory.

    `control` has real sequences of the training split, cut like the samples: a positive control. `blocks`
    says for "held-out real" and "training real" which block or record each sequence is from: those of one
    block are not independent. `remarks` are lines for people on how the groups fit what was asked for.
    """

    groups: Mapping[str, Sequence[Record]]
    training: Callable[[], Iterator[Record]]
    control: Sequence[Record] = ()
    blocks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def compared(self) -> dict[str, Sequence[Record]]:
        """The groups, and the control as "training real", where there is one."""
        return {**self.groups, **({"training real": self.control} if self.control else {})}

    def texts_by_group(self, samples: Sequence[Record]) -> dict[str, list[str]]:
        """The texts of the samples and of each reference group, by the name of the group."""
        groups = {"samples": samples, **self.compared}
        return {name: [record.text for record in group] for name, group in groups.items()}


@dataclass(frozen=True)
class StageResult:
    """What a stage reports: counts, lines for people, figures, sections of the report; `conclusions` and
    `notes` as in `DomainOutput`. `warnings` are those lines of the summary to read before all others."""

    kept: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    summary: tuple[str, ...] = ()
    figures: Mapping[str, float | str | None] = field(default_factory=dict)
    sections: tuple[ReportSection, ...] = ()
    conclusions: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def outputs_to_result(outputs: Sequence[DomainOutput], kept: Mapping[str, int]) -> StageResult:
    """The outputs of a domain and its renders as one result; rejections are counted by reason."""
    rejected: dict[str, int] = {}
    for rejection in rejections(outputs):
        rejected[rejection.reason] = rejected.get(rejection.reason, 0) + rejection.count
    return StageResult(
        kept=kept,
        rejected=rejected,
        summary=tuple(line for output in outputs for line in output.summary),
        figures={name: value for output in outputs for name, value in output.figures.items()},
        sections=tuple(section for output in outputs for section in output.sections),
        conclusions=tuple(line for output in outputs for line in output.conclusions),
        warnings=tuple(line for output in outputs for line in output.warnings),
        notes={name: note for output in outputs for name, note in output.notes.items()},
    )


def rejections(outputs: Sequence[DomainOutput]) -> list[Rejection]:
    """All rejections, in order."""
    return [rejection for output in outputs for rejection in output.rejections]
