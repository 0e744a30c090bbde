"""The noise floor and the verdicts, on tunes of one source."""

import random
from collections import Counter

import pytest

from pipeline.domain import Record
from pipeline.music.statistics import compare_groups, distance


def rows(folder):
    lines = (folder / "statistics.tsv").read_text().splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[4:]]


def test_distances_of_histograms():
    assert distance(Counter(a=2, b=2), Counter(a=1, b=1)) == 0
    assert distance(Counter(a=1), Counter(b=1)) == 1
    assert distance(Counter(), Counter(b=1)) is None


@pytest.mark.parametrize("count", [40, 90])
def test_tunes_of_one_source_are_as_far_as_the_noise_floor(tunes, tmp_path, count):
    shuffled = random.Random(1).sample(tunes, len(tunes))
    groups = {"held-out real": shuffled[:90], "Markov order 2": shuffled[90:]}
    findings = compare_groups(shuffled[90 : 90 + count], groups, tmp_path)
    for row in rows(tmp_path):
        floor = float(row["as many real tunes"])
        assert 0.5 * floor < float(row["samples"]) < 1.6 * floor
        assert 0.5 * floor < float(row["Markov order 2"]) < 1.6 * floor
    (line,) = findings.summary
    assert "far from" not in line


def test_the_floor_does_not_depend_on_how_many_real_tunes_there_are(tunes, tmp_path):
    shuffled = random.Random(2).sample(tunes, len(tunes))
    floors = []
    for real in (shuffled[10:50], shuffled[10:150]):
        compare_groups(shuffled[:10], {"held-out real": real}, tmp_path)
        floors.append(float(rows(tmp_path)[1]["as many real tunes"]))
    assert floors[0] == pytest.approx(floors[1], rel=0.4)


def test_few_tunes_are_not_called_alike(tunes, tmp_path):
    findings = compare_groups(tunes[:2], {"held-out real": tunes[2:6]}, tmp_path)
    assert "too few tunes to tell" in findings.summary[0] and " like them" not in findings.summary[0]
    assert compare_groups(tunes[:2], {"held-out real": tunes[2:3]}, tmp_path).summary == (
        "beside real tunes: too few tunes to tell",
    )


def test_another_music_is_far_and_a_nearer_null_model_is_named(tunes, tmp_path):
    drone = [Record(f"tune_{i:04d}", "M:4/4\nL:1/8\nK:C\nCcCcCcCc|CcCcCcCc|]") for i in range(40)]
    groups = {"held-out real": tunes[:80], "Markov order 2": tunes[80:120]}
    findings = compare_groups(drone, groups, tmp_path)
    assert "scale degrees far from them (Markov order 2 is nearer)" in findings.summary[0]
