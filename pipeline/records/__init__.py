"""Plain values that stages, domains and renders exchange: records, samples, report sections, outputs."""

from pipeline.records.output import (
    DETAILS,
    QUALITY,
    RESULTS,
    DomainOutput,
    ReportSection,
    StageResult,
    outputs_to_result,
    rejections,
)
from pipeline.records.record import Notice, Record, Rejection, Symbols
from pipeline.records.references import References
from pipeline.records.sample import Sample, read_samples

__all__ = [
    "DETAILS",
    "QUALITY",
    "RESULTS",
    "DomainOutput",
    "Notice",
    "Record",
    "References",
    "Rejection",
    "ReportSection",
    "Sample",
    "StageResult",
    "Symbols",
    "outputs_to_result",
    "read_samples",
    "rejections",
]
