"""The nucleotide domain through the seam: real files in, strict FASTA out."""

import gzip
import hashlib
import itertools
import math
from collections import Counter
from pathlib import Path

import pytest
from Bio import SeqIO

from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.errors import ConfigError, DataError
from pipeline.records import Record, References, Rejection, Sample

ROOT = Path(__file__).parents[3]
DATA = ROOT / ".." / "shared" / "data"
EMBEDDED = ROOT / "datasets" / "drosophila" / "upstream.fa.gz"
DOMAIN = Nucleotide()


def data(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def sample(symbols: str, index: int = 0) -> Sample:
    return Sample(index, 1, symbols, 0, False, -len(symbols) * 1.9 * math.log(2))


def test_the_embedded_data_set_is_what_its_readme_says():
    records = list(DOMAIN.read(EMBEDDED))
    assert all(isinstance(record, Record) for record in records)
    assert Counter(record.id.split(":")[0] for record in records) == {"chr3L": 600, "chrX": 150}
    assert {len(record.symbols) for record in records} == {2000}
    assert len({DOMAIN.duplicate_key(record) for record in records}) == 750
    digest = hashlib.sha256(EMBEDDED.read_bytes()).hexdigest()
    assert digest in (EMBEDDED.parent / "README.md").read_text()
    assert digest in (ROOT / "conf" / "dataset" / "drosophila.yaml").read_text()
    assert EMBEDDED.stat().st_size <= 500_000


def test_the_embedded_regions_do_not_overlap():
    spans = sorted(
        (name.split(":")[0], *map(int, name.split(":")[1].split("-")))
        for name in (record.id for record in DOMAIN.read(EMBEDDED))
    )
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in itertools.pairwise(spans))


def test_the_embedded_data_set_can_be_cut_again(tmp_path):
    source = data("fly_upstream_dm3/dm3_upstream2000.fa.gz")
    import importlib.util

    script = tmp_path / "cut.py"
    script.write_bytes((EMBEDDED.parent / "cut.py").read_bytes())
    spec = importlib.util.spec_from_file_location("cut", script)
    cut = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cut)
    cut.main(source)
    made = gzip.decompress((tmp_path / "upstream.fa.gz").read_bytes())
    assert made == gzip.decompress(EMBEDDED.read_bytes())


def test_chromosome_4_with_its_soft_mask():
    records = [item for item in DOMAIN.read(data("fly_chr4_dm3/dm3_chr4.fa.gz")) if isinstance(item, Record)]
    assert [record.id for record in records] == ["chr4:1-1221288", "chr4:1221389-1351857"]
    masked = sum(sum(record.marks) for record in records)
    assert 0.3 < masked / 1_351_757 < 0.7


@pytest.mark.parametrize(
    "name, ids, bases",
    [
        ("yeast_chrI/sc_chrom1.gb", ["NC_001133.9"], 230_218),
        ("fly_adh_genbank/AE003644_Adh-genomic.gb", ["AE003644.3"], 263_309),
        ("hostile/genbank/biopython__no_end_marker.gb", ["AB070938.1"], 6497),
        ("hostile/genbank/biopython__invalid_locus_line_spacing.gb", ["AB070938.1"], 6497),
        ("lambda_phage/lambda_virus.fa", ["gi|9626243|ref|NC_001416.1|"], 48_502),
        ("mtdna_human_orang/MT-human.fa", ["MT_human"], 16_569),
    ],
)
def test_real_files(name, ids, bases):
    records = [item for item in DOMAIN.read(data(name)) if isinstance(item, Record)]
    assert [record.id for record in records] == ids
    assert sum(len(record.symbols) for record in records) == bases


def test_genbank_is_told_by_content_also_inside_gzip(tmp_path):
    source = data("fly_adh_genbank/X98338_Adh-mRNA.gb").read_bytes()
    path = tmp_path / "sequence.txt"
    path.write_bytes(gzip.compress(source))
    assert [record.id for record in DOMAIN.read(path)] == ["X98338.1"]


@pytest.mark.parametrize(
    "name, expected",
    [
        ("bioperl-live__in.fasta", "a report of the FASTA search program"),
        ("bioperl-live__multifa.seq", {"record": 3, "empty record": 3}),
        ("biopython__aster_blast.pro", ":4:6: symbol 'P'"),
        ("biopython__clustalw.pir", "PIR"),
        ("biopython__error_qual_null.fastq", "FASTQ"),
        ("biopython__f002", {"record": 14, "N or gap left out": 74, "interval shorter than 20 bases": 63}),
        ("biopython__flowers.pro.gz", "is this a protein?"),
        ("biopython__sweetpea.nu", {"record": 1}),
        ("biotite__selenocysteine.fasta", "is this a protein?"),
        ("pyfaidx__chr17.hg19.part.fa", {"record": 1}),
        ("scikit-bio__fasta_6_ws_lines_start_of_file", "is this a protein?"),
        ("scikit-bio__fasta_invalid_legacy_format", "before any header"),
        (
            "scikit-bio__fasta_invalid_missing_seq_data_middle",
            {"interval shorter than 20 bases": 2, "empty record": 1},
        ),
        ("scikit-bio__fasta_ws_lines_between_records", "is this a protein?"),
    ],
)
def test_hostile_files_end_in_a_result_or_one_clear_error(name, expected):
    path = data(f"hostile/fasta/{name}")
    if isinstance(expected, str):
        with pytest.raises(DataError) as error:
            list(DOMAIN.read(path))
        assert expected in str(error.value)
    else:
        kinds = Counter()
        for item in DOMAIN.read(path):
            many = isinstance(item, Rejection)
            kinds[item.reason if many else "record"] += item.count if many else 1
        assert kinds == expected


def test_damaged_genbank_is_an_error(tmp_path):
    path = tmp_path / "a.gb"
    path.write_text("LOCUS       X 10 bp DNA\nORIGIN\n        1 acgtacgt!!\n//\n")
    with pytest.raises(DataError, match=r"a\.gb"):
        list(DOMAIN.read(path))


@pytest.mark.parametrize("name", ["a.fa", "a.FASTA.gz", "b.fna.bz2", "c.gbk", "x.y.seq.zst", "d.gb.xz"])
def test_suits_sequence_files(name):
    assert DOMAIN.accepts_file(Path(name))


@pytest.mark.parametrize("name", [".a.fa", "README.md", "a.fa.fai", "a.gz", "fa"])
def test_suits_nothing_else(name):
    assert not DOMAIN.accepts_file(Path(name))


def test_copies_on_either_strand_are_duplicates():
    forward = "ACGGT" * 50 + "T"
    keys = {DOMAIN.duplicate_key(Record("x", text)) for text in (forward, reverse_complement(forward))}
    assert len(keys) == 1
    assert DOMAIN.duplicate_key(Record("x", forward + "A")) not in keys
    # The ends are each other's reverse complement, and only the middle differs.
    like = "A" * 70 + "C" + "T" * 70
    keys = {DOMAIN.duplicate_key(Record("x", text)) for text in (like, reverse_complement(like))}
    assert len(keys) == 1


def test_parts_keep_genome_coordinates():
    assert DOMAIN.part_id("chr3L:101-300", 0, 50) == "chr3L:101-150"
    assert DOMAIN.part_id("chr4", 10, 20) == "chr4:11-20"
    assert DOMAIN.part_id("x:y-z", 10, 20) == "x:y-z:11-20"


def test_primes_are_folded_and_checked():
    assert DOMAIN.parse_prime("acg uTT") == "ACGTTT"
    with pytest.raises(ConfigError, match=r"sample.prime: symbol 'N' at position 3"):
        DOMAIN.parse_prime("ACN")


def test_samples_become_strict_fasta(tmp_path):
    made = {"model": "lstm", "temperature": "0.8", "seed": "1", "index": "0", "bits_per_symbol": "1.90"}
    finished = [DOMAIN.finish(sample("ACGT" * 50, index)) for index in range(3)]
    records = [Record(record.id, record.symbols, made) for record in finished]
    outputs = DOMAIN.write(records, tmp_path)
    path = tmp_path / "samples.fasta"
    assert outputs.files[0] == path
    for strict in ("fasta", "fasta-blast", "fasta-pearson"):
        read = list(SeqIO.parse(path, strict))
        # Biopython 1.88 gives every record of "fasta-blast" the first one's id.
        if strict != "fasta-blast":
            assert [record.id for record in read] == ["synthetic_0001", "synthetic_0002", "synthetic_0003"]
        assert len(read) == 3
        assert {str(record.seq) for record in read} == {"ACGT" * 50}
    lines = path.read_text().splitlines()
    assert {len(line) for line in lines if not line.startswith(">")} == {70, 60}
    for word in ("synthetic DNA", "model=lstm", "temperature=0.8", "seed=1", "bits_per_base=1.90"):
        assert word in lines[0]
    assert [record.symbols for record in DOMAIN.read(path)] == ["ACGT" * 50] * 3


def test_bad_samples_are_rejections():
    assert DOMAIN.finish(sample("")) == Rejection("sample 0", "empty sequence")
    assert DOMAIN.finish(sample("ACNT", 4)) == Rejection("sample 4", "symbol that is not a base", "N")


def test_compare_without_samples_says_nothing(tmp_path):
    assert DOMAIN.compare([], References({}, lambda: iter(())), tmp_path).files == ()


def test_rna_is_written_with_u_and_read_again(tmp_path):
    rna = Nucleotide(molecule="rna")
    record = rna.finish(sample("ATGTTTACGTAA" * 10))
    rna.write([record], tmp_path)
    (written,) = SeqIO.parse(tmp_path / "samples.fasta", "fasta")
    assert str(written.seq) == "AUGUUUACGUAA" * 10
    assert "synthetic RNA" in written.description
    assert [found.symbols for found in rna.read(tmp_path / "samples.fasta")] == ["ATGTTTACGTAA" * 10]
    with pytest.raises(ConfigError, match=r"domain\.molecule='tna' is not one of dna, rna"):
        Nucleotide(molecule="tna")


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("block_bytes", [64, 2**18])
def test_genbank_with_the_line_ends_of_other_systems(tmp_path, monkeypatch, end, block_bytes):
    monkeypatch.setattr("pipeline.domains.genome.files.read_blocks.__defaults__", (block_bytes,))
    text = b"LOCUS       X                    6 bp    DNA     linear   UNK\nORIGIN\n        1 acgtaa\n//\n"
    path = tmp_path / "a.gb"
    path.write_bytes(text.replace(b"\n", end))
    assert [record.symbols for record in Nucleotide(min_length_bp=1).read(path)] == ["ACGTAA"]


def test_genbank_is_not_held_in_memory_without_bound(tmp_path, monkeypatch):
    path = tmp_path / "a.gb"
    path.write_bytes(b"LOCUS       X  6 bp DNA\nDEFINITION  " + b"x" * 2**21)
    with pytest.raises(DataError, match=r"a\.gb:2: this line has more than 1,048,576 bytes"):
        list(DOMAIN.read(path))
    monkeypatch.setattr("pipeline.domains.genome.genbank.MAX_RECORD_BYTES", 1000)
    path.write_bytes(b"LOCUS       X  6 bp DNA\nORIGIN\n" + b"        1 acgtacgtac\n" * 60)
    with pytest.raises(DataError, match=r"a\.gb: a record has more than 1,000 bytes"):
        list(DOMAIN.read(path))


def test_data_is_titled_by_its_organism_else_by_its_file(tmp_path):
    named = tmp_path / "sequence.fa.gz"
    named.write_bytes(gzip.compress(b">NC_004353.4 Drosophila melanogaster chromosome 4\nACGT\n"))
    plain = tmp_path / "my_contigs.fasta"
    plain.write_text(">contig1 length=12\nACGTACGTACGT\n")
    assert Nucleotide().title_data([named]) == "Drosophila melanogaster"
    assert Nucleotide().title_data([plain]) == "my_contigs"
    assert Nucleotide().title_data([plain, named]) == tmp_path.name
