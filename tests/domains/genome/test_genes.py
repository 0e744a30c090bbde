"""Genes as whole records: in their own direction, with a beginning and an end that are learned and drawn."""

import json
import random

import numpy as np
import pytest
from Bio import SeqIO
from tiny import TINY, run_pipeline

from pipeline.config.schema import SplitSettings
from pipeline.data.alphabet import EOS
from pipeline.data.corpus import Corpus
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.genome.encoding import reverse_complement
from pipeline.errors import ConfigError
from pipeline.records import Record, Rejection, Sample
from pipeline.stages.ingest import ingest

SENSE = ("GCA", "AAA", "CTG", "GAA", "TTC", "ATT", "GGT", "CGT", "GTT", "AAC")


@pytest.fixture(scope="module")
def genes(tmp_path_factory):
    """A genome of 120 genes on both strands, with its annotation and the genes as they are read."""
    folder, rng = tmp_path_factory.mktemp("genes"), random.Random(3)
    texts, rows, expected = [], [], []
    for number in range(120):
        gene = "ATG" + "".join(rng.choices(SENSE, k=rng.randint(20, 60))) + rng.choice(("TAA", "TGA"))
        start = sum(map(len, texts)) + 31
        strand = "+" if number % 2 else "-"
        texts += ["".join(rng.choices("ACGT", k=30)), gene if strand == "+" else reverse_complement(gene)]
        rows.append(f"c\tx\tCDS\t{start}\t{start + len(gene) - 1}\t.\t{strand}\t0\tID=g{number}\n")
        expected.append(gene)
    (folder / "g.fa").write_text(">c\n" + "".join(texts) + "\n")
    (folder / "g.gff3").write_text("##gff-version 3\n" + "".join(rows))
    return folder, expected


def domain(folder, **settings) -> Nucleotide:
    return Nucleotide(features="CDS", annotation=str(folder / "g.gff3"), **settings)


@pytest.mark.parametrize(
    ("settings", "open_ended"),
    [
        ({}, True), ({"features": "CDS"}, False), ({"features": ["mRNA", "exon"]}, False),
        ({"features": "repeat_region"}, True), ({"features": ["CDS", "source"]}, True),
        ({"features": "CDS", "records": "open"}, True), ({"records": "whole"}, False),
        ({"regions": "chr4"}, True),
    ],
)  # fmt: skip
def test_records_are_whole_where_features_have_a_direction(settings, open_ended):
    assert Nucleotide(**settings).open_ended == open_ended
    assert Nucleotide(**settings).sample_length == (500 if open_ended else 10_000)
    assert ("domain.records=open" in Nucleotide(**settings).remark) != open_ended


def test_settings_out_of_range():
    with pytest.raises(ConfigError, match=r"domain\.records='all' is not one of auto, whole, open"):
        Nucleotide(records="all")
    with pytest.raises(ConfigError, match="there is no genetic code 99"):
        Nucleotide(genetic_code=99)


def test_a_corpus_of_genes_has_their_direction_and_their_ends(genes, tmp_path):
    folder, expected = genes
    whole = domain(folder)
    result = ingest([folder / "g.fa"], whole, SplitSettings(), "error", tmp_path)
    corpus = Corpus.open(tmp_path)
    assert [corpus.alphabet.decode(corpus.codes[a : b - 1]) for a, b in corpus.record_spans] == expected
    assert (corpus.codes[corpus.record_spans[:, 1] - 1] == EOS).all()
    assert corpus.complement_codes(whole) is None
    assert corpus.complement_codes(domain(folder, records="open")) is not None
    assert result.summary[0] == whole.remark
    # No gene is cut by the split.
    parts = {tuple(span) for span in corpus.segments[:, :2].tolist()}
    assert parts == {tuple(span) for span in corpus.record_spans.tolist()}


def test_a_gene_with_an_unknown_base_is_not_learned_as_pieces(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(f">a\n{'ACGTT' * 10}N{'ACGAT' * 10}\n>b\n{'GGCAT' * 10}\n")
    items = list(Nucleotide(records="whole").read_corpus(path))
    assert [item.id for item in items if isinstance(item, Record)] == ["b"]
    pieces = [item for item in items if isinstance(item, Rejection) and item.reason.startswith("piece of")]
    assert [item.where for item in pieces] == ["a:1-50", "a:52-101"]


def test_a_region_is_whole_unless_an_unknown_base_cuts_it(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(f">a\n{'ACGTT' * 10}N{'ACGAT' * 10}\n")
    items = Nucleotide(records="whole", regions=["a:11-50", "a:41-60", "a:61-"]).read_corpus(path)
    assert [item.id for item in items if isinstance(item, Record)] == ["a:11-50", "a:61-101"]


def test_a_sample_says_whether_it_ended_by_itself(tmp_path):
    whole = Nucleotide(features="CDS")
    ended, cut = (whole.finish(Sample(n, 1, "ATGAAATAA", 0, n == 0, -1.0)) for n in range(2))
    outputs = whole.write([ended, cut], tmp_path)
    headers = [record.description for record in SeqIO.parse(tmp_path / "samples.fasta", "fasta")]
    assert ["complete=yes" in headers[0], "complete=no" in headers[1]] == [True, True]
    assert outputs.summary == ("1 of 2 sequences were cut at sample.length, before an end of their own",)
    record = Nucleotide().finish(Sample(0, 1, "ACGT", 0, False, -1.0))
    assert "complete" not in record.metadata


def test_a_run_on_genes_draws_sequences_that_end(genes, tmp_path):
    folder, _ = genes
    tiny = [each for each in TINY if not each.startswith(("sample.", "train.max"))]
    made = run_pipeline(
        tmp_path / "run", "dataset=genome", "blast=none", f"dataset.path={folder / 'g.fa'}",
        "domain.features=CDS", f"domain.annotation={folder / 'g.gff3'}", *tiny, "train.max_epochs=3",
        "sample.count=30",
    )  # fmt: skip
    assert made["config"]["sample"]["length"] == 10_000
    lines = (tmp_path / "run" / "sample" / "samples.jsonl").read_text().splitlines()
    samples = [json.loads(line) for line in lines]
    assert all(each["ended"] for each in samples)
    assert len({len(each["symbols"]) for each in samples}) > 10
    table = (tmp_path / "run" / "postprocess" / "genes.tsv").read_text()
    row = next(line.split("\t") for line in table.splitlines() if line.startswith("begin with a start, open"))
    header = table.splitlines()[0].split("\t")
    assert float(row[header.index("held-out real")]) == 100
    assert any(line.startswith("whole genes, with") for line in made["stages"]["postprocess"]["summary"])
    assert np.isfinite(made["stages"]["postprocess"]["figures"]["mean length of a gene (bp)"])


def test_genes_are_scored_as_they_were_learned(genes, tmp_path):
    """As a file of genes, or as regions of their genome: the bits of the training stage, without context."""
    folder, _ = genes
    run = tmp_path / "run"
    settings = (
        "dataset=genome", f"dataset.path={folder / 'g.fa'}", "domain.features=CDS",
        f"domain.annotation={folder / 'g.gff3'}", *TINY,
    )  # fmt: skip
    made = run_pipeline(run, *settings, "stages=[ingest,train]")
    learned = made["stages"]["train"]["figures"]["test_bits"]
    held_out = {
        each.id: str(each.symbols) for each in Corpus.open(run / "ingest").records("test", Nucleotide())
    }
    rows = (line.split("\t") for line in (folder / "g.gff3").read_text().splitlines()[1:])
    places = {row[8].removeprefix("ID="): (int(row[3]) - 1, int(row[4]), row[6]) for row in rows}
    file, bed = tmp_path / "genes.fa", tmp_path / "genes.bed"
    file.write_text("".join(f">{name}\n{text}\n" for name, text in held_out.items()))
    lines = ("c\t{}\t{}\t{name}\t0\t{}\n".format(*places[name], name=name) for name in held_out)
    bed.write_text("".join(lines))
    for asked in ((f"score.path={file}",), (f"score.path={folder / 'g.fa'}", f"domain.score_regions={bed}")):
        scored = run_pipeline(run, *settings, f"run={run}", "stages=[score]", *asked)["stages"]["score"]
        assert scored["kept"]["sequences"] == len(held_out)
        assert scored["figures"]["scored_bits"] == pytest.approx(learned, abs=2e-6)
        assert "context" not in scored["summary"][0]
