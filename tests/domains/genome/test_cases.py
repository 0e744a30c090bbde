"""Situations from public reports, each with its right value: nothing is lost or joined wrongly in silence."""

from pathlib import Path

import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from tiny import errors

from pipeline.config.schema import SplitSettings
from pipeline.domains.genome.domain import Nucleotide
from pipeline.errors import ConfigError, DataError
from pipeline.records import Notice, Record, Rejection
from pipeline.stages.ingest import ingest

BOM = b"\xef\xbb\xbf"
BASES = "".join("ACGT"[(n * n + n // 7 + n // 3) % 4] for n in range(1, 401))


@pytest.fixture
def cases(shared_data) -> Path:
    return shared_data / "cases"


@pytest.fixture
def genome(tmp_path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(f">c1\n{BASES}\n>c2\n{BASES[::-1]}\n")
    return path


def read(path: Path, features="CDS", **settings) -> tuple[dict[str, str], dict[str, str], str]:
    """The records by name, what was left out by reason, and all notices."""
    domain = Nucleotide(min_length_bp=1, features=features, **settings)
    items = list(domain.read_corpus(path))
    records = {item.id: item.symbols for item in items if isinstance(item, Record)}
    left_out = {item.reason: item.detail for item in items if isinstance(item, Rejection)}
    return records, left_out, "\n".join(str(item) for item in items if isinstance(item, Notice))


def annotated(genome: Path, text: str, features="CDS", **settings) -> tuple[dict[str, str], dict, str]:
    """The same of rows written as ``kind start end strand phase attributes`` on c1."""
    rows = [line.strip().split(" ", 5) for line in text.strip().splitlines()]
    lines = ["\t".join(("c1", "x", *row[:3], ".", *row[3:])) for row in rows]
    path = genome.parent / "some.gff3"
    path.write_text("##gff-version 3\n" + "\n".join(lines) + "\n")
    return read(genome, features, annotation=str(path), **settings)


def bases(*spans: tuple[int, int], strand: str = "+") -> str:
    """The bases of spans of c1, counted from 1, both ends included."""
    joined = "".join(BASES[start - 1 : stop] for start, stop in sorted(spans))
    return joined if strand == "+" else str(Seq(joined).reverse_complement())


def test_coding_rows_with_an_id_each_are_joined_by_their_parent(cases):
    folder = cases / "11-own-id-for-each-CDS-row"
    records, _, notices = read(folder / "g.fa", annotation=str(folder / "uniq.gff3"))
    assert [(name, len(text)) for name, text in records.items()] == [("g1.1", 210)]
    assert records["g1.1"].startswith("CGCTGTAGGTAGTTTATATT") and records["g1.1"].endswith("TTATGACCCAAT")
    assert "uniq.gff3: 1 CDS, such as g1.1, have rows with IDs of their own" in notices


def test_coding_rows_of_jgi_are_joined_by_their_protein(cases):
    folder = cases / "12-gff2-of-JGI"
    records, _, _ = read(folder / "g.fa", annotation=str(folder / "jgi.gff"))
    sequence = str(next(SeqIO.parse(folder / "g.fa", "fasta")).seq).upper()
    assert list(records.values()) == [sequence[100:160] + sequence[300:360]]


def test_one_transcript_at_two_places_is_two_features(cases):
    folder = cases / "13-one-transcript-id-at-two-loci"
    records, _, notices = read(folder / "g.fa", annotation=str(folder / "twoloci.gtf"))
    assert {name: len(text) for name, text in records.items()} == {"NM_1": 90, "NM_1.2": 90}
    assert "1 CDS, such as NM_1, have rows on several strands or at several places" in notices


@pytest.mark.parametrize(("file", "kind"), [("mrna.gff3", "mRNA"), ("tr.gtf", "transcript")])
def test_transcripts_are_spliced_by_their_exons(cases, file, kind):
    folder = cases / "14-mRNA-of-exons"
    records, _, _ = read(folder / "g.fa", kind, annotation=str(folder / file))
    sequence = next(SeqIO.parse(folder / "g.fa", "fasta")).seq.upper()
    expected = sequence[100:160] + sequence[340:400]
    assert list(records.values()) == [str(expected.reverse_complement() if kind == "mRNA" else expected)]


def test_a_strand_in_the_column_of_scores_is_an_error(cases):
    folder = cases / "15-strand-in-the-fifth-column"
    with pytest.raises(DataError, match=r"bed:1: column 5 holds '-', a strand; .* column 6 the strand"):
        read(folder / "g.fa", None, regions=str(folder / "strand5.bed"))


def test_a_bgzip_file_cut_between_blocks_is_reported(cases, tmp_path):
    folder = cases / "16-bgzf-cut-between-blocks"
    for name, expected in (("cutblock.fa.gz", True), ("ok.fa.gz", False)):
        out_dir = tmp_path / name
        out_dir.mkdir()
        result = ingest([folder / name], Nucleotide(), SplitSettings(), "error", out_dir)
        notice = f"{folder / name}: the end-of-file marker of bgzip is absent: the file may be truncated"
        assert (
            any(notice in line and "128,921 bases were read" in line for line in result.summary) == expected
        )


def test_a_gzip_file_that_is_cut_is_an_error(cases, tmp_path):
    path = tmp_path / "cut.fa.gz"
    path.write_bytes((cases / "16-bgzf-cut-between-blocks" / "ok.fa.gz").read_bytes()[:-3000])
    with pytest.raises(DataError, match=r"cut\.fa\.gz: the file is damaged or truncated after [0-9,]+ bytes"):
        list(Nucleotide().read(path))


def test_a_byte_order_mark_loses_no_genbank_record(cases):
    path = cases / "17-genbank-with-byte-order-mark" / "bom.gb"
    found = [item for item in Nucleotide().read(path) if isinstance(item, Record)]
    assert [(record.id, len(record.symbols)) for record in found] == [("P1.1", 1200), ("P2.1", 800)]
    assert list(read(path)[0]) == ["A", "A.2"]


@pytest.mark.parametrize("block_bytes", [1, 2, 2**18])
def test_a_byte_order_mark_before_any_file(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr("pipeline.domains.genome.files.read_blocks.__defaults__", (block_bytes,))
    fasta, gff, bed = (tmp_path / name for name in ("a.fa", "a.gff3", "a.bed"))
    fasta.write_bytes(BOM + b">c1\nACGTACGT\n")
    gff.write_bytes(BOM + b"##gff-version 3\nc1\tx\tCDS\t1\t3\t.\t+\t0\tID=a\n##FASTA\n>c1\nACGTACGT\n")
    bed.write_bytes(BOM + b"c1\t4\t8\n")
    assert read(gff)[0] == {"a": "ACG"}
    assert read(fasta, annotation=str(gff))[0] == {"a": "ACG"}
    assert read(fasta, None, regions=str(bed))[0] == {"c1:5-8": "ACGT"}


def test_genbank_without_a_sequence_says_how_to_fetch_it(cases):
    folder = cases / "18-genbank-with-CONTIG-only"
    with pytest.raises(DataError, match=r"only a CONTIG line; fetch it whole: .* rettype=gbwithparts"):
        read(folder / "contig_only.gb")
    records, left_out, _ = read(folder / "contig_mixed.gb")
    assert len(records) == 1
    assert left_out["GenBank record without a sequence"].startswith("NC2.1 has no ORIGIN part; fetch it")


def test_a_sequence_named_like_a_region_is_found_by_its_whole_name(cases):
    path = cases / "19-contig-named-like-a-region" / "regname2.fa"
    assert {n: len(t) for n, t in read(path, None, regions="chr1:1-600")[0].items()} == {"chr1:1-600": 600}
    assert {n: len(t) for n, t in read(path, None, regions="chr1:1-600:11-20")[0].items()} == {
        "chr1:1-600:11-20": 10
    }


@pytest.mark.parametrize("order", [("c1", "c1:1-4"), ("c1:1-4", "c1")])
def test_a_text_that_is_a_sequence_and_a_part_of_another_is_refused(tmp_path, order):
    path = tmp_path / "a.fa"
    path.write_text("".join(f">{name}\n{'ACGTTT' if name == 'c1' else 'GGGG'}\n" for name in order))
    with pytest.raises(DataError, match=r"both a sequence 'c1:1-4' and a sequence 'c1'; write '\{c1:1-4\}'"):
        read(path, None, regions="c1:1-4")
    assert read(path, None, regions="{c1:1-4}")[0] == {"c1:1-4": "GGGG"}
    assert read(path, None, regions="{c1}:1-4")[0] == {"c1:1-4": "ACGT"}


@pytest.mark.parametrize("name", ["track_7", "browser1", "track"])
def test_a_sequence_called_track_is_no_header_of_bed(tmp_path, name):
    path, bed = tmp_path / "a.fa", tmp_path / "a.bed"
    path.write_text(f">{name}\nACGTTT\n")
    bed.write_text(f"track name=x\nbrowser position c1:1-9\n{name}\t0\t4\n")
    assert read(path, None, regions=str(bed))[0] == {f"{name}:1-4": "ACGT"}


def test_features_of_a_circular_sequence_go_on_at_its_start(cases):
    folder = cases / "genome"
    records, _, _ = read(folder / "two_sequences.fa", annotation=str(folder / "circular.gff3"))
    sequence = str(next(SeqIO.parse(folder / "two_sequences.fa", "fasta")).seq).upper()
    assert records == {"w1": sequence[950:] + sequence[:50], "w2": sequence[300:360]}


def test_a_circular_feature_on_the_other_strand_and_a_wrong_length(genome):
    circle = "region 1 400 + . ID=c1;Is_circular=true\n"
    records, _, _ = annotated(genome, f"{circle}CDS 391 410 - 0 ID=a\nCDS 401 406 + 0 ID=b")
    assert records["a"] == str(Seq(BASES[390:] + BASES[:10]).reverse_complement())
    with pytest.raises(DataError, match="c1 is circular with 300 bases by its annotation, but has 400"):
        annotated(genome, f"{circle.replace('400', '300')}CDS 291 310 - 0 ID=a")
    with pytest.raises(DataError, match="longer than its circular sequence of 400 bases"):
        annotated(genome, f"{circle}CDS 1 410 - 0 ID=a")


def test_features_on_absent_sequences_are_counted(cases, tmp_path):
    folder = cases / "genome"
    records, left_out, _ = read(folder / "two_sequences.fa", annotation=str(folder / "unknown_seqid.gff3"))
    assert list(records) == ["a"]
    assert left_out == {"feature on a sequence that is not in the data": "chr9"}


def test_a_sequence_in_another_file_is_not_absent(tmp_path):
    gff = tmp_path / "a.gff3"
    rows = [f"{name}\tx\tCDS\t1\t200\t.\t+\t0\tID={name}\n" for name in ("c1", "c2", "c3")]
    gff.write_text("".join(rows))
    files = [tmp_path / "1.fa", tmp_path / "2.fa"]
    files[0].write_text(f">c1\n{BASES}\n")
    files[1].write_text(f">c2\n{BASES[::-1]}\n")
    domain = Nucleotide(features="CDS", annotation=str(gff))
    result = ingest(files, domain, SplitSettings(), "error", _folder(tmp_path / "out"))
    assert result.kept["records"] == 2
    assert result.rejected == {"feature on a sequence that is not in the data": 1}


def test_names_of_an_annotation_are_mapped_to_those_of_the_sequences(genome):
    gff = genome.parent / "a.gff3"
    gff.write_text("1\tx\tCDS\t1\t6\t.\t+\t0\tID=a\n")
    with pytest.raises(DataError, match=r"no sequence '1' .* mapped by 'domain\.contig_map=\{1: c1\}'"):
        read(genome, annotation=str(gff))
    assert read(genome, annotation=str(gff), contig_map={1: "c1"})[0] == {"a": BASES[:6]}
    assert read(genome, None, regions="1:1-6", contig_map={"1": "c1"})[0] == {"c1:1-6": BASES[:6]}
    with pytest.raises(ConfigError, match=r"domain\.contig_map='chr4' is no map"):
        Nucleotide(contig_map="chr4")


def test_blocks_of_bed_are_told_or_spliced(cases):
    fasta, bed = (cases / "genome" / name for name in ("two_sequences.fa", "blocks.bed"))
    sequence = next(SeqIO.parse(fasta, "fasta")).seq.upper()
    records, _, notices = read(fasta, None, regions=str(bed))
    assert list(records) == ["chr1:101-400(-)"]
    assert "1 lines have blocks (BED12), and their whole spans are learned" in notices
    spliced = (sequence[100:150] + sequence[200:250] + sequence[350:400]).reverse_complement()
    for kind in ("transcript", "CDS"):
        records, _, _ = read(fasta, kind, annotation=str(bed))
        assert records == {"t1": str(spliced)}
    assert len(read(fasta, "exon", annotation=str(bed))[0]) == 3
    with pytest.raises(DataError, match=r"BED has no feature gene; its lines give mRNA, transcript, CDS"):
        read(fasta, "gene", annotation=str(bed))


def test_two_sequences_with_one_first_word_are_both_learned(cases):
    records, _, notices = read(cases / "genome" / "same_first_word.fa", None)
    assert sum(map(len, records.values())) == 1800
    assert list(records) == ["genome_id", "genome_id.2"]
    assert "'genome_id.2' is the second 'genome_id'" in notices


def test_two_files_with_one_id_are_both_learned(tmp_path):
    for name, text in (("a", BASES), ("b", BASES[::-1])):
        (tmp_path / f"{name}.fa").write_text(f">c1\n{text}\n")
    files = sorted(tmp_path.glob("*.fa"))
    result = ingest(files, Nucleotide(), SplitSettings(), "error", _folder(tmp_path / "out"))
    table = (tmp_path / "out" / "records.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in table] == ["id", "c1", "c1.2"]
    assert "records: 1 with the id of an earlier one got their own, such as c1.2" in result.summary


def test_pseudo_genes_other_records_and_places_between_bases_of_genbank(cases):
    path = cases / "genome" / "circular.gb"
    whole = SeqIO.read(path, "genbank")
    expected = {
        feature.qualifiers["locus_tag"][0]: str(feature.extract(whole.seq)).upper()
        for feature in whole.features
        if feature.type == "CDS" and feature.qualifiers["locus_tag"][0] not in "JKL"
    }
    items = list(Nucleotide(min_length_bp=1, features="CDS").read_corpus(path))
    records = {item.id: item.symbols for item in items if isinstance(item, Record)}
    assert records == expected
    reasons = {item.where: item.reason for item in items if isinstance(item, Rejection)}
    assert reasons["CIRC1.1:J"] == "feature between two bases"
    assert reasons["CIRC1.1:K"] == "feature with a part in another record"
    assert reasons["CIRC1.1:L"] == "pseudo gene (domain.pseudo=true keeps it)"
    assert "L" in read(path, pseudo=True)[0]


def test_a_row_of_several_parents_is_a_part_of_each(genome):
    rows = "CDS 11 20 + 0 ID=c;Parent=a,b\nCDS 31 40 + 2 ID=c;Parent=a\nCDS 51 55 + 2 ID=c;Parent=b"
    records, _, _ = annotated(genome, rows)
    assert records == {"c": bases((11, 20), (31, 40)), "c.2": bases((11, 20), (51, 55))}


def test_two_coding_sequences_of_one_parent_stay_two(genome):
    rows = "CDS 1 6 + 0 ID=a;Parent=m\nCDS 11 16 + 0 ID=a;Parent=m\nCDS 21 26 + 0 ID=b;Parent=m"
    records, _, _ = annotated(genome, rows)
    assert records == {"a": bases((1, 6), (11, 16)), "b": bases((21, 26))}
    # Phases that do not follow from each other are those of several coding sequences.
    records, _, _ = annotated(genome, "CDS 1 7 + 0 ID=a;Parent=m\nCDS 11 16 + 0 ID=b;Parent=m")
    assert records == {"a": bases((1, 7)), "b": bases((11, 16))}


def test_trans_splicing_keeps_the_order_and_the_strands(genome):
    rows = (
        "CDS 201 210 - 0 ID=r;exception=trans-splicing;part=1\n"
        "CDS 51 60 + 1 ID=r;exception=trans-splicing;part=3\n"
        "CDS 11 20 + 2 ID=r;exception=trans-splicing;part=2"
    )
    records, _, notices = annotated(genome, rows)
    assert records == {"r": bases((201, 210), strand="-") + bases((11, 20)) + bases((51, 60))}
    assert not notices
    records, _, notices = annotated(
        genome, rows.replace(";exception=trans-splicing", "").replace(";part", ";p")
    )
    assert {name: len(text) for name, text in records.items()} == {"r": 10, "r.2": 20}
    assert "have rows on several strands" in notices


def test_rows_without_any_group_are_told(genome):
    records, _, notices = annotated(genome, "CDS 1 6 + 0 Note=x\nCDS 11 16 + 0 Note=y")
    assert records == {"CDS_2": bases((1, 6)), "CDS_3": bases((11, 16))}
    assert "2 CDS, such as CDS_2, name neither an ID, a Parent nor a transcript" in notices


def test_the_oldest_dialect_has_the_name_of_a_group_alone(genome):
    assert annotated(genome, "CDS 1 6 + 0 g1\nCDS 11 16 + 0 g1")[0] == {"g1": bases((1, 6), (11, 16))}


@pytest.mark.parametrize(
    "rows",
    [
        "CDS 1 6 + 0 ID=a;pseudo=true",
        "gene 1 6 + . ID=g;pseudo=true\nmRNA 1 6 + . ID=m;Parent=g\nCDS 1 6 + 0 ID=a;Parent=m",
        "pseudogene 1 6 + . ID=g\nCDS 1 6 + 0 ID=a;Parent=g",
        'CDS 1 6 + 0 gene_id "g"; transcript_id "a"; gene_biotype "unprocessed_pseudogene";',
    ],
)
def test_pseudo_genes_are_left_out_and_counted(genome, rows):
    rows += "\nCDS 11 16 + 0 ID=b;pseudo=false"
    records, left_out, _ = annotated(genome, rows)
    assert records == {"b": bases((11, 16))}
    assert left_out == {"pseudo gene (domain.pseudo=true keeps it)": "a"}
    assert list(annotated(genome, rows, pseudo=True)[0]) == ["a", "b"]


def test_a_transcript_at_two_places_of_a_strand_is_two(genome):
    gtf = 'gene_id "g"; transcript_id "t";'
    rows = f"transcript {{0}} {{1}} + . {gtf}\nexon {{0}} {{1}} + . {gtf}\n"
    text = rows.format(11, 20) + rows.format(101, 110)
    for kind in ("transcript", "exon"):
        assert list(annotated(genome, text, kind)[0].values()) == [bases((11, 20)), bases((101, 110))]
    coding = text.replace("exon", "CDS").replace("+ . gene_id", "+ 0 gene_id")
    assert list(annotated(genome, coding)[0].values()) == [bases((11, 20)), bases((101, 110))]


def test_transcripts_without_exons(genome):
    coding = "CDS 19 24 - 0 Parent=m\nCDS 5 10 - 0 Parent=m"
    rows = f"mRNA 1 30 - . ID=m\nfive_prime_UTR 25 30 - . Parent=m\n{coding}"
    assert annotated(genome, rows, "mRNA")[0] == {"m": bases((19, 30), (5, 10), strand="-")}
    records, _, notices = annotated(genome, "mRNA 1 30 - . ID=m", "mRNA")
    assert records == {"m": bases((1, 30), strand="-")}
    assert "1 mRNA, such as m, have no exon rows" in notices


@pytest.mark.parametrize(("strand", "stop"), [("+", "31 33"), ("-", "8 10")])
def test_the_stop_codon_that_gtf_keeps_apart_is_a_part_of_the_coding_sequence(genome, strand, stop):
    gtf = 'gene_id "g"; transcript_id "t";'
    records, _, notices = annotated(genome, f"CDS 11 30 {strand} 0 {gtf}\nstop_codon {stop} {strand} 0 {gtf}")
    whole = (11, 33) if strand == "+" else (8, 30)
    assert records == {"t": bases(whole, strand=strand)}
    assert "1 CDS, such as t, got the stop codon" in notices


def test_a_data_set_of_pieces_names_the_one_with_whole_sequences(type_in):
    answer = type_in("dataset=drosophila", "domain.regions=chr3L:1-2000", "stages=[ingest]")
    message = errors(answer)
    assert "does not hold chr3L but 600 pieces of it, such as chr3L:20428-22427" in message
    assert "dataset=drosophila holds pieces, dataset=dm6 whole sequences" in message


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
