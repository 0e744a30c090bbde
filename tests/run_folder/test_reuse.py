"""Why a stage is run again."""

import pytest

from pipeline.run_folder.reuse import explain_change

ENTRY = {
    "settings": {"domain": {"regions": None}, "seed": 0},
    "inputs": {"a.fa": "1f"},
    "needs": {"ingest": "9c"},
}


@pytest.mark.parametrize(
    ("settings", "inputs", "needed", "said"),
    [
        (
            {"domain": {"regions": "chr1"}, "seed": 0},
            {"a.fa": "1f"},
            {"ingest": "9c"},
            "changed: domain.regions",
        ),
        ({"domain": {}, "seed": 1}, {"a.fa": "1f"}, {"ingest": "9c"}, "changed: seed"),
        (
            {"domain": {"regions": None}, "seed": 0},
            {"b.fa": "2e"},
            {"ingest": "9c"},
            "an input file has changed",
        ),
        (
            {"domain": {"regions": None}, "seed": 0},
            {"b.fa": "1f"},
            {"ingest": "8d"},
            "that it reads was run again",
        ),
        (
            {"domain": {"regions": None}, "seed": 0},
            {"a.fa": "1f"},
            {"ingest": "9c"},
            "version of the program",
        ),
    ],
)
def test_what_differs_is_named(settings, inputs, needed, said):
    assert said in explain_change(ENTRY, settings, inputs, needed)


def test_of_many_changed_settings_the_first_few_are_named():
    settings = dict.fromkeys("abcdef", 1)
    assert explain_change({"settings": {}}, settings, {}, {}) == "changed: a, b, c and 3 more"
