"""Regions as the corpus: in the order of the sequences, at their places, and refused in words."""

import pytest
from tiny import TINY, errors, run_pipeline, some_dna

from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.domains.genome.regions import parse_regions
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, Rejection

CHR1 = "ACGTTGCAGGNNACCATGACGATTA"
CHR2 = "TTTTTACACACAGGGGGG"


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(f">chr1 first\n{CHR1[:10]}\n{CHR1[10:]}\n>chr2\n{CHR2}\n")
    return path


def read(path, regions, **settings) -> dict[str, str]:
    """The records by their names, and what was rejected by its reason."""
    items = Nucleotide(min_length_bp=1, regions=regions, **settings).read_corpus(path)
    return dict((i.id, i.symbols) if isinstance(i, Record) else (i.reason, i.detail) for i in items)


@pytest.mark.parametrize(
    ("regions", "expected"),
    [
        ("chr1:3-6", {"chr1:3-6": CHR1[2:6]}),
        (["chr2", "chr1:1-5"], {"chr1:1-5": CHR1[:5], "chr2": CHR2}),
        ("chr2:1,0-1,2", {"chr2:10-12": CHR2[9:12]}),
        ("chr2:13-", {"chr2:13-18": CHR2[12:]}),
        (["chr1:20-25", "chr1:2-4"], {"chr1:2-4": CHR1[1:4], "chr1:20-25": CHR1[19:]}),
        ("chr1:9-14", {"chr1:9-10": "GG", "N or gap left out": "2 bases", "chr1:13-14": "AC"}),
    ],
)
def test_a_region_counts_from_one_with_both_ends(genome, regions, expected):
    assert read(genome, regions) == expected


def test_a_region_knows_where_it_lay(genome):
    (record,) = Nucleotide(min_length_bp=1, regions="chr1:3-6").read_corpus(genome)
    assert dict(record.metadata) == {
        "source": "chr1", "start": "3", "end": "6", "description": "first", "location": "chr1:3..6",
    }  # fmt: skip


def test_blocks_of_the_reader_change_nothing(genome, monkeypatch):
    regions = ["chr1:3-8", "chr1:13-25", "chr2:2-17"]
    whole = read(genome, regions)
    for size in (1, 5, 17):
        monkeypatch.setattr("pipeline.domains.genome.fasta.read_blocks.__defaults__", (size,))
        assert read(genome, regions) == whole


def test_a_bed_file_counts_from_zero_and_has_strands(genome, tmp_path):
    bed = tmp_path / "some.bed"
    bed.write_text("track name=x\n#c\nchr1\t2\t6\n\nchr1 12 15\nchr2\t0\t9\tgene\t0\t-\r\n")
    assert read(genome, str(bed)) == {
        "chr1:3-6": CHR1[2:6],
        "chr1:13-15": CHR1[12:15],
        "chr2:1-9(-)": reverse_complement(CHR2[:9]),
    }
    assert Nucleotide(regions=str(bed)).auxiliary_files() == (bed,)


def test_what_is_tested_is_not_learned_by_another_region(genome):
    regions = ["chr2:1-10", "chr2:10-12", "chr2:13-18", "chr1:2-4"]
    found = [*Nucleotide(min_length_bp=1, regions=regions).read_corpus(genome)]
    assert {record.id: record.metadata.get("group") for record in found} == {
        "chr2:1-10": "chr2:1..10", "chr2:10-12": "chr2:1..10", "chr2:13-18": None, "chr1:2-4": None,
    }  # fmt: skip


def test_a_region_that_is_one_repeat_stays_masked(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">a\nACGTACGTacgtacgt\n")
    (record,) = Nucleotide(min_length_bp=1, regions="a:9-16").read_corpus(path)
    assert record.marks == bytes([1] * 8)


def test_other_reads_of_the_domain_are_whole(genome):
    whole = Nucleotide(min_length_bp=1, regions="chr2").read(genome)
    assert [item.id for item in whole if isinstance(item, Record)] == ["chr1:1-10", "chr1:13-25", "chr2"]


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("chr3", "region chr3: no sequence 'chr3' is in "),
        (["chr2", "Chr1:1-3"], "no sequence 'Chr1' is in .*; there is chr1 .25 bases., chr2 .18 bases."),
        ("chr2:10-19", "region chr2:10-19: 10-19 goes beyond chr2, which has 18 bases; give an end within"),
        ("chr2:19-", "region chr2:19-: 19 goes beyond chr2"),
    ],
)
def test_a_region_that_is_not_there_is_told(genome, regions, message):
    with pytest.raises(DataError, match=message):
        read(genome, regions)


@pytest.mark.parametrize("regions", ["chr1:0-5", "chr1:7-5", "chr1:x-9", "", "chr1:1--5", ["chr2", "b:-1-2"]])
def test_what_is_no_region_is_told_at_once(regions):
    with pytest.raises(ConfigError, match=r"regions: .* (is not a region|must have a start)"):
        Nucleotide(regions=regions)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("chr1\t5\n", ":1: a line of BED"),
        ("chr1\t0\t3\nchr1\t5\t5\n", ":2: a line of BED"),
        ("chr1\t-1\t5\n", ":1: a line of BED"),
        (f"chr1\t{'9' * 5000}\t{'9' * 5000}\n", ":1: a line of BED"),
        ("# nothing\n", "no region is in this BED file"),
        ("", "the file is empty"),
        ("x" * 2**21, ":1: this line has more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_bed_is_told_with_its_line(tmp_path, content, message):
    path = tmp_path / "a.bed"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        parse_regions(str(path))


def test_a_missing_bed_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"none\.bed: there is no such file; check domain\.regions"):
        Nucleotide(regions=str(tmp_path / "none.bed")).auxiliary_files()


def test_names_with_colons_and_numbers_are_names(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">HLA:A01\nACGT\n>4\nTTTT\n")
    assert read(path, ["HLA:A01", 4]) == {"HLA:A01": "ACGT", "4": "TTTT"}


def test_one_of_regions_and_features():
    with pytest.raises(ConfigError, match=r"domain\.regions and domain\.features are both given"):
        Nucleotide(regions="a", features="CDS")


def test_rejections_stand_at_their_place_in_the_sequence(genome):
    items = Nucleotide(min_length_bp=3, regions="chr1:9-25").read_corpus(genome)
    places = [item.where.partition(".fa:")[2] for item in items if isinstance(item, Rejection)]
    assert places == ["chr1:9-10", "chr1:11-12"]


def test_a_run_learns_from_some_regions_and_scores_others(tmp_path):
    path, bed, folder = tmp_path / "genome.fa", tmp_path / "some.bed", tmp_path / "run"
    path.write_text(f">chr1\n{some_dna(9_000)}>chr2\n{some_dna(6_000, seed=2)}")
    bed.write_text("chr2\t100\t160\nchr2\t5940\t6000\n")
    made = run_pipeline(
        folder, "dataset=genome", "blast=none", f"dataset.path={path}", "domain.regions=chr1:1001-9000",
        f"score.path={path}", f"domain.score_regions={bed}", "stages=[ingest,train,score]", *TINY,
    )  # fmt: skip
    assert made["stages"]["ingest"]["kept"]["symbols"] == 8_000
    assert bed.name in str(made["stages"]["score"]["inputs"])
    rows = (folder / "score" / "surprisal.bedgraph").read_text().splitlines()[1:]
    places = [tuple(row.split("\t")[:3]) for row in rows]
    assert places == [("chr2", str(at), str(at + 1)) for at in (*range(100, 160), *range(5940, 6000))]
    rows = (folder / "score" / "symbols.tsv").read_text().splitlines()[1:61]
    chr2 = some_dna(6_000, seed=2).replace("\n", "").upper()
    assert "".join(row.split("\t")[2] for row in rows) == chr2[100:160]


def test_a_region_is_scored_as_it_is_inside_its_sequence(tmp_path):
    """The bits after 300 bases of left context are those of the same bases in the whole sequence."""
    path, folder = tmp_path / "genome.fa", tmp_path / "run"
    path.write_text(f">chr1\n{some_dna(9_000)}>chr2\n{some_dna(3_000, seed=2)}")

    def bits(*more: str) -> list[float]:
        files = f"dataset.path={path}", f"score.path={path}"
        made = run_pipeline(folder, "dataset=genome", "blast=none", *files, *TINY, *more)
        rows = (folder / "score" / "symbols.tsv").read_text().splitlines()[1:]
        said.append(made["stages"]["score"]["summary"][0])
        return [float(row.split("\t")[3]) for row in rows]

    said: list[str] = []
    whole = bits("stages=[ingest,train,score]", "domain.score_regions=chr2")
    again = (f"run={folder}", "stages=[score]", "domain.score_regions=chr2:301-360")
    assert bits(*again) == pytest.approx(whole[300:360], abs=2e-4)
    assert said[-1].endswith("; 1 of them after up to 2,000 bases of left context")
    alone = bits(*again, "score.context=0")
    assert alone != pytest.approx(whole[300:360], abs=2e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dataset=genome", "domain.regions=chr1:9-2"), "regions: 'chr1:9-2' must have a start"),
        (("dataset=genome", "domain.regions=[chr1:1-9,chr1:9000-99999]"), "9,000-99,999 goes beyond chr1"),
        (("dataset=genome", "domain.regions=chr9:1-7"), "region chr9:1-7: no sequence 'chr9' is in "),
        (("dataset=genome", "domain.features=CDS"), "this file has no features (domain.features=CDS)"),
        (("dataset=text", "domain.regions=chr1"), "domain.regions: the domain chosen here has no such"),
        (("dataset=genome", "domain.score_regions=chr1:9-2"), "regions: 'chr1:9-2' must have a start"),
    ],
)
def test_the_command_line_reads_regions_and_refuses_wrong_ones(type_in, fasta_file, arguments, message):
    assert message in errors(type_in(*arguments, f"dataset.path={fasta_file}", "stages=[ingest]"))
