"""The contract of the seam, for every file of conf/domain: a new domain is tested by adding it there."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import (
    compose_config,
    some_chorales,
    some_dna,
    some_performance,
    some_pieces,
    some_proteins,
    some_text,
    some_tunes,
)

from pipeline.config.build import build
from pipeline.data.corpus import Corpus, CorpusWriter
from pipeline.domain import Domain
from pipeline.errors import ConfigError, DataError
from pipeline.records import DomainOutput, Record, References, Rejection, Sample
from pipeline.runtime.folders import resource_folder

DOMAINS = sorted(path.stem for path in (resource_folder("conf") / "domain").glob("*.yaml"))

FIXTURES = {
    "text": ("words.txt", some_text(), "the reel"),
    "nucleotide": (
        "small.fa",
        ">chr1 made up\n" + some_dna(3_000) + ">chr2\n" + some_dna(1_000, seed=2),
        "ACGT",
    ),
    "protein": ("small.faa", some_proteins(), "MKVL"),
    "abc": ("reels.abc", some_tunes(), "M:4/4 K:G"),
    "midi": ("small.mid", some_performance(seed=2), "NoteOn_60 Velocity_63 NoteOn_64 Velocity_63"),
    "chorales": ("small.txt", some_chorales(), "67,62,58,43 _,_,_,_"),
    "piano": ("small.txt", some_pieces(), "48 60 64 67"),
    "performance": ("small.mid", some_performance(), "NoteOn_60 Velocity_63 TimeShift_0.20.100 NoteOff_60"),
}
"""For each domain: the name of a small file, its content, and a prime."""


@pytest.fixture(params=DOMAINS)
def name(request) -> str:
    return request.param


@pytest.fixture
def domain(name) -> Domain:
    return build(compose_config("dataset=text", f"domain={name}").domain, "domain")


@pytest.fixture
def write_fixture(name, tmp_path) -> tuple[Path, str]:
    """A file of the domain, and a prime."""
    file, content, prime = FIXTURES[name]
    (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    return tmp_path / file, prime


@pytest.fixture
def records(domain, write_fixture) -> list[Record]:
    return [each for each in domain.read(write_fixture[0]) if isinstance(each, Record)]


def sampled(record: Record, index: int = 0) -> Sample:
    """A record as if a model had drawn it to its end."""
    return Sample(index, 1, record.symbols, 0, True, -12.5)


def test_every_domain_has_a_fixture():
    assert set(FIXTURES) == set(DOMAINS)


def test_a_domain_is_frozen_and_says_what_it_is(domain):
    assert isinstance(domain, Domain)
    with pytest.raises(dataclasses.FrozenInstanceError):
        domain.family = "other"
    assert domain.family and domain.symbol_name


def test_reading_streams_records_with_their_own_ids(domain, write_fixture, records):
    assert isinstance(domain.read(write_fixture[0]), Iterator)
    assert records
    assert len({record.id for record in records}) == len(records)
    for record in records:
        assert len(record.symbols)
        assert domain.alphabet is None or set(record.symbols) <= set(domain.alphabet)
        assert (record.marks is None) or len(record.marks) == len(record.symbols)
        assert (record.marks is None) or max(record.marks) < len(domain.mark_names)


def test_reading_again_gives_the_same(domain, write_fixture):
    assert list(domain.read(write_fixture[0])) == list(domain.read(write_fixture[0]))


def test_records_come_back_from_a_corpus(domain, records, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    with CorpusWriter(folder, domain, "error") as writer:
        for record in records:
            writer.append(record)
        writer.finish()
    spans = np.load(folder / "records.npy")
    segments = [(start, stop, 0, number) for number, (start, stop) in enumerate(spans)]
    np.save(folder / "segments.npy", np.array(segments))
    again = list(Corpus.open(folder).records("train", domain))
    assert [(r.id, r.symbols) for r in again] == [(r.id, r.symbols) for r in records]
    if domain.mark_names:
        assert [r.marks for r in again] == [r.marks for r in records]


def test_it_suits_its_own_files_and_no_hidden_ones(domain, write_fixture):
    assert domain.accepts_file(write_fixture[0])
    assert not domain.accepts_file(Path("folder/.hidden"))


def test_the_data_has_a_title(domain, write_fixture):
    path, _ = write_fixture
    assert domain.title_data([path]) == path.stem


def test_a_duplicate_has_the_same_key_every_time(domain, records):
    keys = [domain.duplicate_key(record) for record in records]
    assert keys == [domain.duplicate_key(record) for record in records]
    assert len(set(keys)) == len(keys) or set(keys) == {None}
    for record in records:
        assert np.array_equal(domain.fingerprints(record), domain.fingerprints(record))


def test_a_part_has_a_name_of_its_own(domain, records):
    name = records[0].id
    parts = [domain.part_id(name, start, start + 10) for start in (0, 10, 20)]
    assert len({name, *parts}) == 4
    assert all(len(part.split()) == 1 for part in parts)


def test_a_real_sequence_is_a_good_sample(domain, records):
    """What passes on the way in passes on the way out, and once finished stays as it is."""
    for index, record in enumerate(records[:20]):
        finished = domain.finish(sampled(record, index))
        assert isinstance(finished, Record)
        again = domain.finish(dataclasses.replace(sampled(record, index), symbols=finished.symbols))
        assert again.symbols == finished.symbols


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_a_bad_sample_is_a_rejection_with_a_reason_never_an_error(domain, records, data):
    letters = [*sorted({letter for record in records for letter in record.symbols}), "\ufffd"]
    several = any(len(letter) > 1 for letter in letters)
    drawn = st.lists if several else st.text
    text = data.draw(drawn(st.sampled_from(letters), max_size=60))
    text = tuple(text) if several else text
    finished = domain.finish(Sample(0, 1, text, 0, data.draw(st.booleans()), -1.0))
    assert isinstance(finished, Record | Rejection)
    if isinstance(finished, Rejection):
        assert 0 < len(finished.reason) < 80


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(text=st.text(max_size=30))
def test_any_prime_is_read_or_refused_in_words(domain, text):
    try:
        prime = domain.parse_prime(text)
    except ConfigError as error:
        assert "sample.prime" in str(error)
    else:
        assert isinstance(prime, str | tuple)


def test_a_prime_starts_like_what_is_learned(domain, write_fixture, records):
    prime = domain.parse_prime(write_fixture[1])
    assert len(prime) >= len("ACGT")
    known = {symbol for record in records for symbol in record.symbols} | set(domain.alphabet or ())
    assert set(prime) <= known


def finished_records(domain: Domain, records: list[Record]) -> list[Record]:
    made = {"model": "lstm 1x8", "temperature": "1", "seed": "1", "bits_per_symbol": "1.5"}
    finished = [domain.finish(sampled(record, index)) for index, record in enumerate(records[:8])]
    return [dataclasses.replace(r, metadata={**r.metadata, **made}) for r in finished]


def test_written_files_lie_in_the_folder_and_can_be_read_again(domain, records, tmp_path):
    out_dir = tmp_path / "out"
    out_dir.mkdir()
    finished = finished_records(domain, records)
    outputs = domain.write(finished, out_dir)
    assert isinstance(outputs, DomainOutput)
    written = outputs.files[0]
    assert written.parent == out_dir
    assert {file for section in outputs.sections for file in section.files} <= set(out_dir.rglob("*"))
    again = [each for each in domain.read(written) if isinstance(each, Record)]
    if domain.family != "text":  # a text file has lines on how its samples were made
        assert [record.symbols for record in again] == [record.symbols for record in finished]


def test_comparing_writes_what_it_shows(domain, records, tmp_path):
    groups = {"held-out real": records[-8:], "Markov order 2": records[:8], "shuffled": records[:8]}
    references = References(groups, lambda: iter(records))
    outputs = domain.compare(finished_records(domain, records), references, tmp_path)
    for section in outputs.sections:
        assert all(file.is_file() and file.is_relative_to(tmp_path) for file in section.files)
    assert all(isinstance(value, float | int | str | None) for value in outputs.figures.values())


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b"\xff\xfe\xfd\n", b"PK\x03\x04"])
def test_a_file_of_something_else_is_an_error_or_nothing(domain, tmp_path, content):
    path = tmp_path / "else.bin"
    path.write_bytes(content)
    try:
        items = list(domain.read(path))
    except DataError as error:
        assert "else.bin" in str(error)
    else:
        assert not any(isinstance(item, Record) and "\x00" in item.symbols for item in items)
