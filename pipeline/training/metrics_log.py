"""The learning curve on disk, `metrics.csv`, one row per measurement; a resumed training continues it."""

import csv
import math
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from pipeline.runtime.files import reading_back

COLUMNS: tuple[str, ...] = (
    "epoch", "step", "learning_rate", "train_bits", "train_perplexity",
    "validation_bits", "validation_loss", "validation_perplexity",
)  # fmt: skip


def _checked(row: dict[str, str]) -> dict[str, str]:
    """The row. Raises ValueError or TypeError where a cell is not a finite number."""
    if set(row) != set(COLUMNS) or not all(math.isfinite(float(cell)) for cell in row.values() if cell):
        raise ValueError(f"a row {list(row.values())}")
    return row


class MetricsLog(Logger):
    """Logs metrics to `path`, and keeps the rows of an interrupted training, which Lightning's CSVLogger
    deletes.

    Rows of step `first_step` and later are dropped: the resumed training writes them again.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        super().__init__()
        self.path = path
        path.parent.mkdir(exist_ok=True)
        with reading_back(path, f"remove the folder {path.parent} and run again"):
            written = path.read_text(encoding="utf-8") if path.exists() else ""
            # The last row of a killed run may be cut; a whole one ends in a line end.
            rows = csv.DictReader(written[: written.rfind("\n") + 1].splitlines())
            kept = [_checked(row) for row in rows if int(row["step"]) < first_step]
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)

    @property
    def name(self) -> str:
        return ""

    @property
    def version(self) -> str:
        return "csv"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row."""
        with self.path.open("a", encoding="utf-8", newline="") as stream:
            csv.DictWriter(stream, COLUMNS, lineterminator="\n").writerow({**metrics, "step": step})

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the manifest records all settings."""
