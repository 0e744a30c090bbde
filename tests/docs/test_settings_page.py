"""The generated page of settings explains every setting."""

import sys

from pages import page

sys.path.insert(0, str(page("conf.py").parent))

from settings_page import settings_page


def test_every_setting_has_a_meaning():
    rows = [line for line in settings_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert [row for row in rows if row.rstrip().endswith("|  |")] == []
