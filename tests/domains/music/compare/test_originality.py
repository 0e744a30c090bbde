import csv

import pytest

from pipeline.domains.music.abc.domain import Abc
from pipeline.records import Record, References

HEADER = "M:4/4\nL:1/8\nK:D\n"
REEL = "d2fd adfd|edef gfed|d2fd adfa|bagf edBA|d2fd adfd|edef gfed|fafd gfed|c2A2 d4|]"


@pytest.fixture
def training(tunes):
    own = Record("own", HEADER + REEL, {"title": "Our Reel"})
    return [*tunes[:40], own]


def audited(samples, training, real, out_dir, **settings):
    references = References({"held-out real": real}, lambda: iter(training))
    kept, outputs = Abc(**settings).audit(samples, references, out_dir)
    with (out_dir / "originality.tsv").open(encoding="utf-8") as stream:
        return kept, outputs, list(csv.DictReader(stream, delimiter="\t"))


def test_a_planted_fragment_is_found_in_another_key_and_octave(training, tunes, tmp_path):
    # Eleven notes from the reel's second bar on, a tone and an octave higher.
    planted = "E4 z4|f'e'f'g' a'g'f'e'|e'2g'e' E4|]"
    sample = Record("sample", f"M:4/4\nL:1/8\nK:E\n{planted}", {})
    _, _, rows = audited([sample], training, tunes[40:70], tmp_path)
    assert rows[0]["fragment_title"] == "Our Reel"
    assert (rows[0]["longest_fragment_notes"], rows[0]["from_note"]) == ("11", "2")


def test_a_copy_is_flagged_or_dropped(training, tunes, tmp_path):
    copy = Record("copy", HEADER + REEL, {"title": "Synthetic tune 1"})
    new = Record("new", HEADER + "A2B2 c2d2|e2c2 A4|B2d2 f2b2|a2f2 d4|]", {"title": "Synthetic tune 2"})
    kept, outputs, rows = audited([copy, new], training, tunes[40:70], tmp_path)
    assert [record.metadata.get("copied") for record in kept] == ["56 notes in a row of Our Reel", None]
    assert kept[0].metadata["nearest"] == "Our Reel" and kept[0].metadata["nearest_distance"] == "0.00"
    assert "1 of 2 tunes" in outputs.summary[0]
    assert (
        "(nothing in common): samples 0." in outputs.summary[1] and ", held-out real 0." in outputs.summary[1]
    )
    kept, outputs, _ = audited([copy, new], training, tunes[40:70], tmp_path, max_copy_notes=20)
    assert [record.id for record in kept] == ["new"]
    assert [(each.where, each.reason) for each in outputs.rejections] == [("copy", "copied")]
    assert [row["copied"] for row in rows[:2]] == ["yes", ""]


@pytest.mark.parametrize(("copies", "new", "said"), [
    (1, 0, "1 of 1 tunes have over {} notes in a row from one training tune (too few tunes to compare with"),
    (2, 14, "training tune: no difference found from held-out real tunes (0%)"),
    (0, 16, "training tune, no more than held-out real tunes do (0%)"),
    (12, 4, "training tune, more than held-out real tunes do (0%)"),
])  # fmt: skip
def test_more_or_no_more_copies_are_claimed_only_where_the_test_says_so(
    training, tunes, tmp_path, copies, new, said
):
    copied = [Record(f"copy {number}", HEADER + REEL, {}) for number in range(copies)]
    others = [Record(f"new {number}", HEADER + "A2B2 c2d2|e2c2 A4|]", {}) for number in range(new)]
    _, outputs, _ = audited([*copied, *others], training, tunes[40:70], tmp_path)
    limit = outputs.summary[-2].split(" notes")[0].split()[-1]
    assert said.format(limit) in outputs.summary[len(outputs.warnings)]
    first = "75% of the tunes copy the training data (held-out real tunes 0%); domain.max_copy_notes="
    assert [line.startswith(first) for line in outputs.warnings] == [True] * (copies == 12)


def test_what_cannot_be_read_is_no_copy(training, tunes, tmp_path):
    kept, _, rows = audited([Record("odd", "no tune", {})], training, tunes[40:70], tmp_path)
    assert len(kept) == 1 and rows[0]["longest_fragment_notes"] == "0"
