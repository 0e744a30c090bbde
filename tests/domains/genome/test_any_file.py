"""Every reader against real files as Biopython reads them, and against bytes that nobody meant."""

from pathlib import Path

import pytest
from Bio import SeqIO
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import SHARED
from two_bit import two_bit
from xopen import xopen

from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.fasta import read_fasta
from pipeline.domains.genome.files import SequenceHeader
from pipeline.domains.genome.genbank import read_genbank
from pipeline.errors import DataError
from pipeline.records import Record

FOLDERS = (
    "fly_adh_genbank", "fly_chr4_dm3", "fly_upstream_dm3", "hostile/fasta", "hostile/genbank", "lambda_phage",
    "mtdna_human_orang", "yeast_chrI",
)  # fmt: skip
FILES = [path for folder in FOLDERS for path in sorted((SHARED / folder).glob("*"))]
REAL = [path for path in FILES if path.suffix not in (".md", ".tsv")]
GENBANK = b"""LOCUS       X                  30 bp    DNA     linear   UNK 01-JAN-1980
FEATURES             Location/Qualifiers
     CDS             join(1..5,complement(8..12))
                     /gene="a"
                     /codon_start=2
ORIGIN
        1 acgtacgtac gtacgtacgt acgtacgtac
//
"""
SEEDS = {
    "fasta": b">c1 first\nACGTNNryk\n>c2\r\nacgt\n;note\n",
    "genbank": GENBANK,
    "twobit": two_bit({"c1": "ACGTNNacgt", "c2": "TTT"}),
    "gff": b"##gff-version 3\nc1\tx\tCDS\t1\t6\t.\t-\t0\tID=a\nc1\tx\tCDS\t9\t15\t.\t-\t2\tID=a\n",
    "bed12": b"c1\t2\t30\tt\t0\t-\t2\t30\t0\t2\t5,4\t0,20\n",
    "gtf": b'c1\tx\ttranscript\t1\t30\t.\t-\t.\tgene_id "g"; transcript_id "t"\n'
    b'c1\tx\texon\t1\t9\t.\t-\t.\tgene_id "g"; transcript_id "t"\n'
    b'c1\tx\tCDS\t4\t9\t.\t-\t0\tgene_id "g"; transcript_id "t"\n'
    b"c1\tx\tCDS\t30\t39\t.\t+\t0\tID=a;Parent=b,c;Is_circular=true\n",
    "bed": b"track x\nc1\t2\t6\nc2\t0\t3\tname\t0\t-\n",
}


@pytest.mark.data
@pytest.mark.skipif(not REAL, reason=f"no real data at {SHARED}")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_file_is_read_as_biopython_reads_it(path):
    kind = "genbank" if path.suffix == ".gb" else "fasta"
    found: list[list] = []
    try:
        for part in read_genbank(path) if kind == "genbank" else read_fasta(path):
            if isinstance(part, SequenceHeader):
                found.append([part.name, []])
            else:
                found[-1][1].append(part.bases)
    except DataError as error:
        pytest.skip(f"refused: {error}")
    with xopen(path, "rt", threads=0) as stream:
        expected = [(record.id, bytes(record.seq)) for record in SeqIO.parse(stream, kind)]
    if kind == "genbank":
        expected = [(name, bases.upper()) for name, bases in expected]
    assert [(name, b"".join(pieces)) for name, pieces in found] == expected


def changed(seed: bytes) -> st.SearchStrategy[bytes]:
    """The seed with some bytes replaced, put in, or cut out."""
    edits = st.tuples(st.integers(0, len(seed)), st.integers(0, 4), st.binary(max_size=6))
    return st.lists(edits, min_size=1, max_size=4).map(lambda todo: _edit(seed, todo))


def _edit(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, length, new in edits:
        seed = seed[:at] + new + seed[at + length :]
    return seed


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_end_in_records_or_in_one_clear_error(tmp_path_factory, kind, data):
    content = data.draw(changed(SEEDS[kind]) | st.binary(max_size=200))
    folder = tmp_path_factory.getbasetemp()
    path, genome = folder / f"any_{kind}.bed", folder / "genome.fa"
    path.write_bytes(content)
    genome.write_bytes(b">c1\n" + b"ACGT" * 9 + b"\n>c2\nACGT\n")
    try:
        for item in read(kind, path, genome):
            if isinstance(item, Record):
                assert item.id.isprintable()
                assert item.symbols
                assert not set(item.symbols) - set("ACGT")
                assert len(item.marks) == len(item.symbols)
    except DataError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 2_000


def read(kind: str, path: Path, genome: Path) -> list:
    """What a domain reads through the reader of this kind."""
    domain = {
        "bed": Nucleotide(min_length_bp=1, regions=str(path)),
        "gff": Nucleotide(min_length_bp=1, features=["CDS", "gene"], annotation=str(path)),
        "gtf": Nucleotide(min_length_bp=1, features=["CDS", "transcript"], annotation=str(path)),
        "bed12": Nucleotide(min_length_bp=1, features=["CDS", "exon"], annotation=str(path)),
        "genbank": Nucleotide(min_length_bp=1, features="CDS"),
    }.get(kind, Nucleotide(min_length_bp=1, iupac="random"))
    return list(domain.read_corpus(genome if kind in ("bed", "bed12", "gff", "gtf") else path))
