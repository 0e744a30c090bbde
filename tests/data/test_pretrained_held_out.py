"""The held-out list of a pretrained checkpoint: the default split follows it, and no near-copy is trained
on."""

import json
import random

import numpy as np
import pytest
from sequences import make_spans
from tiny import compose_config

from pipeline.config.schema import SplitSettings
from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.data.pretrained_held_out import PretrainedHeldOut, split_by_held_out_list
from pipeline.data.sources import checkpoint_path, held_out_list_path
from pipeline.domains.genome.domain import Nucleotide
from pipeline.errors import DataError
from pipeline.models.checkpoint import load
from pipeline.stages.ingest import ingest


def test_near_copies_of_what_is_held_out_are_in_no_subset():
    listed, groups = np.array([0, 2, 0, 1, 0, 0]), np.array([0, 1, 1, 3, 4, 4])
    segments = split_by_held_out_list(make_spans(*[10] * 6), listed, groups)
    assert segments[:, 3].tolist() == [0, 1, 3, 4, 5]
    assert segments[:, 2].tolist() == [0, 2, 1, 0, 0]


def test_the_default_split_keeps_to_the_list_and_another_can_be_asked_for(tmp_path):
    sequences = {f"r{number}": "".join(random.Random(number).choices("ACGT", k=400)) for number in range(60)}
    sequences["copy"] = sequences["r7"][:300]
    path, table = tmp_path / "some.fa", tmp_path / "list.json"
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    table.write_text(json.dumps({"held_out": "abc", "validation": ["r3", "r5"], "test": ["r7", "gone"]}))
    for name, split in (("listed", SplitSettings()), ("drawn", SplitSettings(seed=0))):
        (tmp_path / name).mkdir()
        result = ingest([path], Nucleotide(), split, "error", tmp_path / name, table)
        corpus = Corpus.open(tmp_path / name)
        found = [[record.id for record in corpus.records(subset, Nucleotide())] for subset in SUBSETS]
        if name == "listed":
            assert (found[1], found[2], corpus.held_out) == (["r3", "r5"], ["r7"], "abc")
            assert len(found[0]) == 57 and "copy" not in found[0]
            assert result.kept["records_in_no_subset"] == 1
            assert result.summary[-1] == "1 record is in no subset: near-copies of held-out records"
        else:
            assert corpus.held_out is None and len(found[1]) == len(found[2]) == 3


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"held_out": 1, "test": 3, "validation": []}'])
def test_what_is_no_list_is_one_line(tmp_path, content):
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"list.json: not a list of held-out records"):
        PretrainedHeldOut(path)


def test_the_list_of_the_folk_tunes_is_that_of_their_checkpoint():
    dataset = compose_config("dataset=folk").dataset
    about = load(checkpoint_path("checkpoint", "pretrained", dataset)).about
    unlearned = PretrainedHeldOut(held_out_list_path(dataset))
    assert unlearned.digest == about["held_out"]
    assert np.bincount(list(unlearned.subsets.values())).tolist() == [0, 176, 172]
    assert held_out_list_path(compose_config("dataset=folk", "dataset.path=my.abc").dataset) is None
