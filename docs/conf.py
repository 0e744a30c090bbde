"""Sphinx configuration. `make docs` builds the site into build/docs; every warning is an error."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from settings_page import write_settings_page

import pipeline

project = "Sequence pipeline"
author = "the authors of Sequence pipeline"
release = pipeline.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
highlight_language = "none"  # commands and outputs are no Python; other blocks name their language
html_theme = "furo"
html_title = f"Sequence pipeline {release}"
html_copy_source = False
html_show_sphinx = False
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
default_role = "code"
nitpicky = True
# Other projects are reached by a network only, and internal classes have no page; all else must resolve.
nitpick_ignore_regex = [("py:.*", r"(?!pipeline\.(api|domain|errors|grammar|records)\b).*")]
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
exclude_patterns = ["_build"]


def setup(app: Sphinx) -> None:
    """Write the page of settings from the schema before the pages are read."""
    app.connect("builder-inited", lambda app: write_settings_page(Path(app.srcdir) / "reference"))
