"""Plain values that stages, domains and renders exchange: records, samples, report sections, outputs."""

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
    """One sequence with a name: an interval of a chromosome, a tune, a headline.

    Attributes
    ----------
    id : str
        The name, unique in a corpus.
    symbols : str | tuple[str, ...]
        The sequence.
    metadata : Mapping[str, str]
        Further facts. A record that is a part of a longer one has `source`, the id of that one, and `start`,
        its first symbol counted from 1. `subset` is train, validation or test where the source prescribes the
        split. Records with an equal `group` stay on one side of the split. `changes` lists what reading left
        out or changed: short phrases with "; " between them.
    marks : bytes | None
        One byte per symbol, an index into `Domain.mark_names`. Surprisal is reported by mark.
    """

    id: str
    symbols: Symbols
    metadata: Mapping[str, str] = field(default_factory=dict)
    marks: bytes | None = None

    @property
    def text(self) -> str:
        """The symbols, joined.

        Returns
        -------
        str
            The text.
        """
        return self.symbols if isinstance(self.symbols, str) else "".join(self.symbols)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that was not kept.

    Attributes
    ----------
    where : str
        The file and position, or the id.
    reason : str
        A short reason, by which rejections are counted.
    detail : str
        What was found.
    count : int
        The number of things that were not kept, where one rejection stands for many.
    everywhere : bool
        Whether it counts only if every file of the corpus gives it: a part that one file lacks may be in
        another.
    """

    where: str
    reason: str
    detail: str = ""
    count: int = 1
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A fact about a file that the user must know, although nothing is rejected because of it.

    The log, the summary of the run, its manifest and its report show it.

    Attributes
    ----------
    where : str
        The file.
    text : str
        The fact.
    """

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True, slots=True)
class Sample:
    """One raw sequence from a model.

    Attributes
    ----------
    index : int
        Its number in the run, from 0.
    seed : int
        The seed of the run.
    symbols : str | tuple[str, ...]
        The sequence, with its prime.
    prime_length : int
        Symbols of the prime.
    ended : bool
        Whether the model drew the end symbol.
    log_probability : float
        Log-probability of the symbols after the prime, in nats.
    temperature : float | None
        The temperature of sampling; None for beam search.
    ranked_by : float | None
        The score by which it was chosen among candidates, if it was.
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
        """Mean surprisal of the sampled symbols, in bits; a drawn end symbol counts.

        Returns
        -------
        float
            Bits per symbol.
        """
        drawn = len(self.symbols) - self.prime_length + self.ended
        return -self.log_probability / max(drawn, 1) / 0.6931471805599453

    @property
    def text(self) -> str:
        """The symbols, joined.

        Returns
        -------
        str
            The text.
        """
        return "".join(self.symbols)

    def to_json(self) -> str:
        """Format a line of `samples.jsonl`.

        Returns
        -------
        str
            A JSON object, without a line break.
        """
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Sample":
        """Parse a line of `samples.jsonl`.

        Parameters
        ----------
        line : str | bytes
            The line.

        Returns
        -------
        Sample
            The sample.

        Raises
        ------
        ValueError
            Where the line is not a sample.
        """
        values = load_json(line)
        if isinstance(values, dict) and isinstance(values.get("symbols"), list):
            values["symbols"] = tuple(values["symbols"])
        sample = build_checked(cls, values)
        if sample.index < 0 or not 0 <= sample.prime_length <= len(sample.symbols):
            raise ValueError("a sample out of range")
        return sample


def read_samples(path: Path) -> Iterator[Sample]:
    """Stream the samples of a `samples.jsonl`.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    Sample
        The samples in their order.

    Raises
    ------
    DataError
        With the line, where one is damaged.
    """
    with open_regular(path) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(MAX_SAMPLE_BYTES), b""), start=1):
            with reading_back(Path(f"{path}:{number}"), "run the sample stage again: stages=[sample]"):
                sample = Sample.from_json(line)
            yield sample


MAX_SAMPLE_BYTES = 2**30
"""Size of a line of `samples.jsonl`, at most."""


RESULTS, QUALITY, DETAILS = "results", "quality", "details"
"""The parts of a report (see `ReportSection`)."""


@dataclass(frozen=True, slots=True)
class ReportSection:
    """Files that the report shows under one title, each by its suffix.

    A .tsv file is a table; .svg and .png are pictures; .wav, .mp3 and .ogg are players; .txt, .fasta and .abc
    are text; .json is a sample grid; any other file is a link.

    Attributes
    ----------
    title : str
        The title.
    files : tuple[Path, ...]
        The files; several pictures or sounds are shown in a row.
    caption : str
        A text below the title.
    part : str
        The place in the report: RESULTS (what was generated), QUALITY (how good it is) or DETAILS (the
        stage).
    """

    title: str
    files: tuple[Path, ...]
    caption: str = ""
    part: str = DETAILS


@dataclass(frozen=True, slots=True)
class DomainOutput:
    """The output of a domain or a render.

    Attributes
    ----------
    sections : tuple[ReportSection, ...]
        Sections for the report.
    summary : tuple[str, ...]
        Lines for the end of the run.
    conclusions : tuple[str, ...]
        Those lines of the summary that say how good the samples are; the report starts with the first few.
    warnings : tuple[str, ...]
        Those lines of the summary that come before all others.
    notes : Mapping[str, str]
        Explanations of figures, by their names.
    figures : Mapping[str, float | str | None]
        Results for the manifest, by their names.
    files : tuple[Path, ...]
        All files that were written.
    rejections : tuple[Rejection, ...]
        Records that were not kept.
    """

    sections: tuple[ReportSection, ...] = ()
    summary: tuple[str, ...] = ()
    conclusions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    figures: Mapping[str, float | str | None] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    rejections: tuple[Rejection, ...] = ()

    def combine(self, other: "DomainOutput") -> "DomainOutput":
        """Join two outputs, in this order.

        Parameters
        ----------
        other : DomainOutput
            The second output.

        Returns
        -------
        DomainOutput
            Both.
        """
        both = {each.name: getattr(self, each.name) for each in fields(self)}
        for name, value in both.items():
            more = getattr(other, name)
            both[name] = {**value, **more} if isinstance(value, Mapping) else (*value, *more)
        return DomainOutput(**both)


@dataclass(frozen=True)
class References:
    """The reference groups with which samples are compared.

    Attributes
    ----------
    groups : Mapping[str, Sequence[Record]]
        Sequences by the name of the group, in the order to show them: "held-out real" (of the test split, cut
        to the lengths of the samples in an open-ended domain), "Markov order k" (sampled from a Markov chain
        of low order) and "shuffled" (the samples with their dinucleotide counts kept).
    training : Callable[[], Iterator[Record]]
        Streams the training records at each call, so that a large genome need not fit in memory.
    control : Sequence[Record]
        Real sequences of the training split, cut like the samples: a positive control.
    blocks : Mapping[str, Sequence[str]]
        For "held-out real" and "training real", the block or record of each sequence; sequences of one block
        depend on each other.
    remarks : tuple[str, ...]
        Lines on how the groups fit the requested attributes.
    """

    groups: Mapping[str, Sequence[Record]]
    training: Callable[[], Iterator[Record]]
    control: Sequence[Record] = ()
    blocks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def compared(self) -> dict[str, Sequence[Record]]:
        """The groups, with the control as "training real" where there is one.

        Returns
        -------
        dict[str, Sequence[Record]]
            Sequences by the name of the group.
        """
        return {**self.groups, **({"training real": self.control} if self.control else {})}

    def texts_by_group(self, samples: Sequence[Record]) -> dict[str, list[str]]:
        """Return the texts of the samples and of each reference group.

        Parameters
        ----------
        samples : Sequence[Record]
            The finished samples.

        Returns
        -------
        dict[str, list[str]]
            Texts by the name of the group, "samples" first.
        """
        groups = {"samples": samples, **self.compared}
        return {name: [record.text for record in group] for name, group in groups.items()}


@dataclass(frozen=True)
class StageResult:
    """The result of a stage, as the manifest records it.

    Attributes
    ----------
    kept : Mapping[str, int]
        Counts of what was kept, by kind.
    rejected : Mapping[str, int]
        Counts of what was rejected, by reason.
    summary, conclusions, warnings, notes, figures, sections
        As in `DomainOutput`.
    """

    kept: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    summary: tuple[str, ...] = ()
    figures: Mapping[str, float | str | None] = field(default_factory=dict)
    sections: tuple[ReportSection, ...] = ()
    conclusions: tuple[str, ...] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def outputs_to_result(outputs: Sequence[DomainOutput], kept: Mapping[str, int]) -> StageResult:
    """Join the outputs of a domain and its renders; rejections are counted by reason.

    Parameters
    ----------
    outputs : Sequence[DomainOutput]
        The outputs, in their order.
    kept : Mapping[str, int]
        Counts of what was kept, by kind.

    Returns
    -------
    StageResult
        The result of the stage.
    """
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
    """Collect the rejections of several outputs.

    Parameters
    ----------
    outputs : Sequence[DomainOutput]
        The outputs.

    Returns
    -------
    list[Rejection]
        All rejections, in order.
    """
    return [rejection for output in outputs for rejection in output.rejections]
