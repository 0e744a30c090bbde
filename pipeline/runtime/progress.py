"""Progress bars on standard error, with few lines where it is not a terminal."""

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def track(items: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield the items and show the progress."""
    with bar(description, total if total is not None else _length(items), unit) as progress:
        for item in items:
            yield item
            progress.update()


def bar(description: str, total: int | None = None, unit: str = "it") -> tqdm:
    """Return a progress bar that the caller updates; it is a context manager."""
    # A log file gets a line every 15 seconds.
    interval = 0.2 if sys.stderr.isatty() else 15.0
    return tqdm(
        total=total, desc=f"{description:<22}", unit=unit, unit_scale=True, mininterval=interval,
        dynamic_ncols=True, leave=True,
    )  # fmt: skip


def _length(items: Iterable[object]) -> int | None:
    return len(items) if isinstance(items, Sized) else None
