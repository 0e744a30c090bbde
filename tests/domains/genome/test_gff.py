"""GFF3 of open reading frames, as a strict reader of the format has it."""

from urllib.parse import unquote

from Bio.Data import CodonTable
from Bio.Seq import Seq

from pipeline.domains.genome.gff import write_gff
from pipeline.records import Record

STOPS = set(CodonTable.unambiguous_dna_by_id[1].stop_codons)
FORWARD = "CCATGAAACCCGGGTTTAAACATTAGCC"
"""One frame from base 3: ATG AAA CCC GGG TTT AAA CAT TAG."""


def written(tmp_path, *records: Record, shortest_bp: int = 15) -> list[str]:
    write_gff(records, tmp_path / "samples.gff3", shortest_bp)
    return (tmp_path / "samples.gff3").read_text().splitlines()


def test_a_frame_on_either_strand(tmp_path):
    other = str(Seq(FORWARD).reverse_complement())
    lines = written(tmp_path, Record("a", FORWARD), Record("b", other))
    assert lines[0] == "##gff-version 3"
    assert [line for line in lines if line.startswith("##s")] == [
        "##sequence-region a 1 28", "##sequence-region b 1 28",
    ]  # fmt: skip
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    places = [(row[0], row[2], row[3], row[4], row[6], row[7]) for row in rows]
    assert places == [("a", "ORF", "3", "26", "+", "."), ("b", "ORF", "3", "26", "-", ".")]


def test_every_frame_translates_from_start_to_stop(tmp_path, shared_data):
    from Bio import SeqIO

    real = SeqIO.read(shared_data / "lambda_phage" / "lambda_virus.fa", "fasta")
    lines = written(tmp_path, Record("phage", str(real.seq).upper()), shortest_bp=300)
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(rows) > 50
    for row in rows:
        part = real.seq[int(row[3]) - 1 : int(row[4])].upper()
        protein = str((part if row[6] == "+" else part.reverse_complement()).translate())
        assert protein[0] == "M" and protein.find("*") == len(protein) - 1 and len(part) >= 300
    ids = [dict(pair.split("=") for pair in row[8].split(";"))["ID"] for row in rows]
    assert len(set(ids)) == len(ids)


def test_names_and_attributes_are_escaped(tmp_path):
    name = "chr;1=a,b&c%>d"
    lines = written(tmp_path, Record(name, FORWARD))
    seqid, *_, about = lines[-1].split("\t")
    assert unquote(seqid) == name and not set(seqid) & set(";=,&>")
    pairs = [pair.split("=") for pair in about.split(";")]
    assert [len(pair) for pair in pairs] == [2] * 4
    assert unquote(pairs[0][1]) == name + ".orf1"


def test_without_frames_only_the_sequences_are_named(tmp_path):
    assert written(tmp_path, Record("a", "CCCC"), Record("empty", "")) == [
        "##gff-version 3", "##sequence-region a 1 4",
    ]  # fmt: skip
