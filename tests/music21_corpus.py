"""Where the scores of the installed music21 lie."""

from importlib.util import find_spec
from pathlib import Path

CORPUS = Path(find_spec("music21").submodule_search_locations[0]) / "corpus"
BACH = CORPUS / "bach"
