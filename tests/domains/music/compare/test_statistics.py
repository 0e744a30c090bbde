"""The comparison of tunes: of one source, and of another kind of music."""

import csv
import random

import pytest

from pipeline.domains.music.compare.statistics import compare_tunes
from pipeline.records import Record

LIKE = ("no difference found", "not tested, too few")


def table(folder):
    with (folder / "statistics.tsv").open(encoding="utf-8") as stream:
        return {row["metric"]: row for row in csv.DictReader(stream, delimiter="\t")}


def test_tunes_of_one_source_do_not_differ(tunes, tmp_path):
    shuffled = random.Random(1).sample(tunes, len(tunes))
    groups = {"held-out real": shuffled[40:120], "Markov order 2": shuffled[120:]}
    outputs = compare_tunes(shuffled[:40], groups, tmp_path)
    assert outputs.warnings == ()
    found = table(tmp_path)
    verdicts = [row["conclusion"] for row in found.values() if row["conclusion"]]
    assert len(verdicts) > 12 and sum(each.startswith(LIKE) for each in verdicts) >= len(verdicts) - 1
    assert found["sequences"]["samples"] == "40" and found["valid before repair"]["held-out real"] == "100.0%"
    assert {path.name for path in outputs.files} == {
        "statistics.tsv", "overlap.tsv", "metric_overview.svg", "scale_degrees.svg", "intervals.svg",
        "note_lengths.svg", "bar_similarity.svg", "tune_structure.svg", "bars_in_a_tune.svg", "keys.svg",
    }  # fmt: skip


def test_another_kind_of_music_differs(tunes, tmp_path):
    drone = [Record(f"tune_{i:04d}", "M:4/4\nL:1/8\nK:C\nCcCcCcCc|CcCcCcCc|]") for i in range(20)]
    outputs = compare_tunes(drone, {"held-out real": tunes[:60], "Markov order 2": tunes[60:90]}, tmp_path)
    found = table(tmp_path)
    degrees, bars = found["scale degrees, JS distance"], found["repeated bars (%)"]
    assert degrees["conclusion"] == "differs from real tunes; Markov order 2 nearer"
    assert bars["samples"] == "100" and bars["conclusion"].startswith("differs from real tunes: more; ")
    assert 0 < float(bars["real against itself"]) < 10
    warned, share, against, worst = outputs.summary
    assert outputs.warnings == (warned,)
    assert warned.startswith("the samples are worse than those of Markov order 2: it is nearer to real tunes")
    assert warned.endswith(". Remedy: sample at temperature 1, or train longer")
    counted, _, uncounted = share.partition("; ")
    assert counted == (
        "samples: indistinguishable from held-out real tunes on 2 of 12 metrics of melody and form "
        "(Markov order 2 on 12)"
    )
    assert uncounted.startswith("the samples also differ on 12 metrics (pairs of scale degrees")
    assert against.startswith("samples are nearer to real tunes than Markov order 2 on 0 metrics. ")
    assert worst.startswith("most unlike real tunes: ") and worst.count("(real tunes") == 3


def test_tunes_of_random_notes_are_a_warning_before_all_else(tunes, tmp_path):
    rng = random.Random(1)
    bars = ["".join(rng.choices("CDEFGABcdefgab", k=8)) for _ in range(40 * 16)]
    drawn = [Record(f"t{i}", f"M:4/4\nL:1/8\nK:C\n{'|'.join(bars[i::40])}|]") for i in range(40)]
    groups = {"held-out real": tunes[:60], "Markov order 2": tunes[60:90], "shuffled": drawn[20:]}
    outputs = compare_tunes(drawn[:20], groups, tmp_path)
    (warned,) = outputs.warnings
    assert outputs.summary[0] == warned and "worse than those of Markov order 2" in warned


@pytest.mark.parametrize("count", [0, 3])
def test_few_tunes_are_not_compared(tunes, tmp_path, count):
    outputs = compare_tunes(tunes[:count], {"held-out real": tunes[10:40]}, tmp_path)
    said = [line.partition(";")[0] for line in outputs.summary]
    assert said == ["samples and held-out real tunes: too few tunes to test"] * bool(count)
    assert [path.name for path in outputs.files] == ["statistics.tsv"]


def test_broken_tunes_are_counted_and_never_an_error(tunes, tmp_path):
    broken = [
        Record(f"b{i}", text)
        for i, text in enumerate(["no tune", "M:4/4\nL:1/8\nK:C\n", "M:4/4\nL:1/8\nK:C\n|[("])
    ]
    compare_tunes(tunes[:12], {"held-out real": tunes[20:50], "shuffled": [*broken, *tunes[60:70]]}, tmp_path)
    found = table(tmp_path)
    assert (found["sequences"]["shuffled"], found["valid before repair"]["shuffled"]) == ("13", "76.9%")


def test_the_same_tunes_give_the_same_bytes(tunes, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        compare_tunes(tunes[:12], {"held-out real": tunes[20:50]}, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


LOOP = "M:4/4\nL:1/8\nK:D\n" + "dfaf edcd|efge d2d2|" * 3 + "d8|]"


@pytest.mark.parametrize(("looping", "said"), [
    (5, "5 of 20 tunes loop (25%; held-out real tunes 1%): a phrase three times in a row, or more than 40 "
        "bars; they were sampled at temperature 0.5; sample.temperature=1 gives fewest loops"),
    (0, None),
])  # fmt: skip
def test_a_run_says_when_more_tunes_loop_than_real_ones(tunes, tmp_path, looping, said):
    drawn = [Record(f"tune_{i:04d}", LOOP, {"temperature": "0.5"}) for i in range(looping)]
    outputs = compare_tunes([*drawn, *tunes[: 20 - looping]], {"held-out real": tunes[20:90]}, tmp_path)
    lines = [line for line in outputs.summary if "loop" in line and "most unlike" not in line]
    assert lines == ([said] if said else [])
