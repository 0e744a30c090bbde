"""Features of GenBank and GFF3 as the corpus, against Biopython's own extraction."""

from collections import Counter

import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from tiny import SHARED
from xopen import xopen

from pipeline.domains.genome.annotation import gff_features
from pipeline.domains.genome.domain import Nucleotide
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, Rejection

DNA = "ATGGCATTAGCCTAAGGGTTACATCCCAAACATTTT"

GFF = """##gff-version 3
c1\tx\tgene\t1\t15\t.\t+\t.\tID=g1
c1\tx\tCDS\t1\t6\t.\t+\t0\tID=cds1;Parent=m1
c1\tx\tCDS\t10\t15\t.\t+\t2\tID=cds1;Parent=m1
c1\tx\tCDS\t19\t24\t.\t-\t1\tParent=m%202
c1\tx\tCDS\t28\t33\t.\t-\t0\tParent=m%202
"""


def read(path, **settings) -> list:
    return list(Nucleotide(min_length_bp=1, **{"features": "CDS", **settings}).read_corpus(path))


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "c.fa"
    path.write_text(f">c1 made up\n{DNA[:20]}\n{DNA[20:]}\n>c2\nACGT\n")
    return path


def written(tmp_path, text: str):
    path = tmp_path / "a.gff3"
    path.write_text(text)
    return path


@pytest.mark.data
@pytest.mark.parametrize("kind", ["CDS", "gene", "exon", "mRNA", "tRNA"])
@pytest.mark.parametrize(
    "name",
    ["fly_adh_genbank/AE003644_Adh-genomic.gb", "fly_adh_genbank/dmel_2Lchunk.gb", "yeast_chrI/sc_chrom1.gb",
     "fly_adh_genbank/X98338_Adh-mRNA.gb"],
)  # fmt: skip
def test_features_of_genbank_are_those_that_biopython_extracts(name, kind):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    expected: dict[str, list[str]] = {}
    not_whole = pseudo = 0
    for record in SeqIO.parse(path, "genbank"):
        for feature in record.features:
            if feature.type != kind:
                continue
            if {"pseudo", "pseudogene"} & {*feature.qualifiers}:
                pseudo += 1
            elif feature.location is None or feature.location.end > len(record.seq):
                not_whole += 1
            else:
                expected.setdefault(str(feature.extract(record.seq)).upper(), []).append(
                    str(int(feature.qualifiers.get("codon_start", ["1"])[0]) - 1)
                )
    if not expected and not not_whole and not pseudo:
        with pytest.raises(DataError, match=f"no feature {kind} is in it .domain.features.; there are "):
            read(path, features=kind)
        return
    items = read(path, features=kind)
    records = [item for item in items if isinstance(item, Record)]
    left_out = Counter(item.reason for item in items if isinstance(item, Rejection))
    assert {record.symbols for record in records} <= expected.keys()
    assert len(records) == sum(map(len, expected.values()))
    assert left_out["feature not whole in its record"] == not_whole
    assert left_out["pseudo gene (domain.pseudo=true keeps it)"] == pseudo
    assert len({record.id for record in records}) == len(records)
    if kind == "CDS":
        for record in records:
            phase = record.metadata["phase"]
            assert phase in expected[record.symbols]
            coding = Seq(record.symbols[int(phase) :])
            assert "*" not in coding[: len(coding) // 3 * 3].translate()[:-1]


@pytest.mark.parametrize(
    ("name", "genes"),
    [("chlamydia_trachomatis_B_TZ1A828", 905), ("chlamydia_trachomatis_D_UW3_NC_000117", 942),
     ("jcvi_syn3A_CP016816", 455), ("mycoplasma_mycoides_capri_GM12", 857)],
)  # fmt: skip
def test_genes_of_whole_bacteria_are_those_that_biopython_extracts(shared_data, name, genes):
    path = shared_data / "bacteria_genbank" / f"{name}.gb.gz"
    expected: Counter[str] = Counter()
    with xopen(path, "rt", threads=0) as stream:
        for record in SeqIO.parse(stream, "genbank"):
            coding = (each for each in record.features if each.type == "CDS")
            kept = (each for each in coding if not {"pseudo", "pseudogene"} & {*each.qualifiers})
            expected.update(str(each.extract(record.seq)).upper() for each in kept)
    assert expected.total() == genes
    assert Counter(item.symbols for item in read(path) if isinstance(item, Record)) == expected


def test_spans_of_gff_are_joined_and_read_along_their_strand(tmp_path, fasta):
    first, second = read(fasta, annotation=str(written(tmp_path, GFF)))
    assert (first.id, first.symbols) == ("cds1", DNA[0:6] + DNA[9:15])
    assert (second.id, second.symbols) == ("m_2", str(Seq(DNA[18:24] + DNA[27:33]).reverse_complement()))
    assert dict(second.metadata) == {
        "source": "m_2", "start": "1", "end": "12", "description": "made up", "feature": "CDS", "strand": "-",
        "phase": "0", "location": "c1:complement(join(19..24,28..33))",
    }  # fmt: skip


def test_gtf_rows_are_joined_by_their_transcript(tmp_path, fasta):
    gtf = "".join(
        f'c1\tx\tCDS\t{span}\t.\t+\t0\tgene_id "g"; transcript_id "t1";\n' for span in ("1\t3", "7\t9")
    )
    (record,) = read(fasta, annotation=str(written(tmp_path, gtf)))
    assert (record.id, record.symbols) == ("t1", DNA[0:3] + DNA[6:9])


@pytest.mark.parametrize("block_bytes", [1, 7, 100, 2**18])
def test_a_gff_file_with_its_sequence_inside(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr("pipeline.domains.genome.files.read_blocks.__defaults__", (block_bytes,))
    path = written(tmp_path, f"{GFF}##FASTA\n>c1\n{DNA}\n")
    assert next(record.symbols for record in read(path)) == DNA[0:6] + DNA[9:15]
    assert [record.symbols for record in read(path, features=None)] == [DNA]
    path = written(tmp_path, f"{GFF}##FASTA\n>c1\nACGX\n")
    with pytest.raises(DataError, match=r"a\.gff3:9:4: symbol 'X'"):
        read(path, features=None)


@pytest.mark.parametrize(
    ("gff", "message"),
    [
        ("c1\tCDS\n", ":1: a row of GFF3 has nine columns"),
        ("#\nc1\tx\tCDS\t9\t8\t.\t+\t0\tID=a\n", ":2: a row of GFF3"),
        (GFF.replace("CDS", "exon"), r"no feature CDS is in it .*; there are exon \(4\), gene \(1\)"),
        ("c9\tx\tCDS\t1\t8\t.\t+\t0\tID=a\n", r":1: no sequence 'c9' is in .*; there is c2 \(4 .*c1 \(36"),
        ("c1\tx\tCDS\t30\t80\t.\t+\t0\tID=a\n", "a.gff3:1: 30-80 goes beyond c1, which has 36 bases"),
        ("", "the file is empty"),
    ],
)
def test_a_bad_annotation_is_told_with_its_line(tmp_path, fasta, gff, message):
    with pytest.raises(DataError, match=message):
        read(fasta, annotation=str(written(tmp_path, gff)))


def test_features_where_there_are_none(tmp_path, fasta):
    with pytest.raises(DataError, match=r"has no features .*; name its GFF3 file with domain\.annotation="):
        read(fasta)
    with pytest.raises(DataError, match=r"holds annotations but no ##FASTA part"):
        read(written(tmp_path, GFF), features=None)
    with pytest.raises(ConfigError, match=r"domain\.annotation needs domain\.features"):
        Nucleotide(annotation="a.gff3")


def test_names_of_features_are_one_printable_word_each(tmp_path):
    rows = "".join(
        f"c1\tx\tCDS\t{n}\t{n}\t.\t+\t0\tID={name}\n" for n, name in enumerate(["a%0Ab%1B", "a b", "%20"], 1)
    )
    regions, _ = gff_features(written(tmp_path, rows), ("CDS",))
    assert [region.name for region in regions] == ["a_b", "a_b.2", "feature"]
