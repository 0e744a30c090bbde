"""Outputs of domains, renders and stages, with their sections for the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from pipeline.records.record import Rejection

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
