"""Real tunes for the tests: those of the installed music21, and the hostile files where they lie."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.records import Record

CORPUS = Path(find_spec("music21").submodule_search_locations[0]) / "corpus"
SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def book() -> Path:
    """A tune book of about two hundred Scottish and English airs."""
    return CORPUS / "airdsAirs" / "book3.abc"


@pytest.fixture(scope="session")
def tunes(book: Path) -> list[Record]:
    """Its valid tunes."""
    return [record for record in Abc().read(book) if isinstance(record, Record)]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data next to the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"no {SHARED}")
    return SHARED
