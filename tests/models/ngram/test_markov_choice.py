"""The Markov model that stands for all of them: no single block decides its order, and no order harms."""

import gzip
from types import SimpleNamespace

import numpy as np
import pytest
from music21_corpus import CORPUS
from tiny import SHARED

from pipeline.data.alphabet import SPECIALS
from pipeline.data.corpus import SUBSETS
from pipeline.errors import DataError
from pipeline.evaluation.bits import Tally
from pipeline.evaluation.paired_differences import NEGLIGIBLE, compare_tallies
from pipeline.models.ngram.markov import Markov
from pipeline.models.ngram.markov_choice import SplitCodes, choose_markov

FIRST = len(SPECIALS)
COMPLEMENT = np.array([0, 1, 2, 6, 5, 4, 3])
DNA = bytes.maketrans(b"ACGTacgt", bytes([3, 4, 5, 6] * 2))
GENOMES = {
    "fly chromosome 4": "fly_chr4_dm3/dm3_chr4.fa.gz",
    "yeast chromosome I": "yeast_chrI/sc_chrom1.gb",
    "lambda": "lambda_phage/lambda_virus.fa",
    "human mitochondrion": "mtdna_human_orang/MT-human.fa",
    "Chlamydia D": "bacteria_genbank/chlamydia_trachomatis_D_UW3_NC_000117.gb.gz",
    "Chlamydia B": "bacteria_genbank/chlamydia_trachomatis_B_TZ1A828.gb.gz",
    "Mycoplasma mycoides": "bacteria_genbank/mycoplasma_mycoides_capri_GM12.gb.gz",
    "JCVI-syn3A": "bacteria_genbank/jcvi_syn3A_CP016816.gb.gz",
}
TEXTS = {
    "Arabidopsis proteins": (SHARED / "arabidopsis_proteins" / "NC_000932_proteins.faa", ">"),
    "antimicrobial peptides": (SHARED / "amp" / "amp_vs_uniprot.fa", ">"),
    "Nottingham": (SHARED / "nottingham_abc_cleaned" / "jigs.abc", "X:"),
    "Ryan's": (CORPUS / "ryansMammoth", "X:"),
}
MAX_BASES = 500_000
"""Of each genome, so that a test takes seconds."""


class Split:
    """Codes, and the segments of each part by its name."""

    def __init__(self, codes: np.ndarray, segments: np.ndarray) -> None:
        self.codes, self.vocab_size = codes, int(codes.max()) + 1
        self.parts = {name: segments[segments[:, 2] == at, :2] for at, name in enumerate(SUBSETS)}

    def choose(self, complement=None, **kwargs):
        train, validation = self.parts["train"], self.parts["validation"]
        return choose_markov(
            SplitCodes(self.codes, train, validation, self.vocab_size, **kwargs), range(17), complement
        )

    def tally(self, nats: np.ndarray) -> Tally:
        """Of the test part, block by block."""
        spans = self.parts["test"]
        tally = Tally(SimpleNamespace(mark_names=(), marks=None), spans)
        positions = np.concatenate([np.arange(start, stop) for start, stop in spans])
        tally.add_surprisal(nats, self.codes[positions], positions)
        return tally


def genome(name: str) -> Split:
    """A real genome in a hundred blocks, five of them for validation and ten for test."""
    path = SHARED / GENOMES[name]
    if not path.exists():
        pytest.skip(f"{path} is not here")
    text = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    if b"\nORIGIN" in text:
        text = text[text.index(b"\nORIGIN") + 7 : text.index(b"\n//")]
    else:
        text = text[text.index(b"\n") :]
    codes = np.frombuffer(text.translate(DNA), np.uint8)
    codes = codes[(codes >= FIRST) & (codes < FIRST + 4)][:MAX_BASES]
    edges, numbers = np.arange(101) * len(codes) // 100, np.arange(100)
    kinds = np.where(numbers % 20 == 4, 1, np.where(numbers % 10 == 9, 2, 0))
    return Split(codes, np.column_stack([edges[:-1], edges[1:], kinds, np.zeros(100, np.int64)]))


def records(name: str) -> Split:
    """Real records, of which every tenth is for validation and every tenth for test."""
    path, head = TEXTS[name]
    if not path.exists():
        pytest.skip(f"{path} is not here")
    files = sorted(path.glob("*.abc")) if path.is_dir() else [path]
    texts = "\n".join(file.read_text(encoding="utf-8") for file in files).split("\n" + head)
    if head == ">":  # without the headers and the line ends
        texts = ["".join(text.splitlines()[1:]) for text in texts]
    symbols = sorted(set("".join(texts)))
    table = {symbol: code for code, symbol in enumerate(symbols, start=FIRST)}
    codes = np.array([code for text in texts for code in [*map(table.get, text), 1]], np.uint8)
    ends = np.flatnonzero(codes == 1) + 1
    spans = np.column_stack([np.concatenate([[0], ends[:-1]]), ends])
    numbers = np.arange(len(spans))
    kinds = np.where(numbers % 10 == 4, 1, np.where(numbers % 10 == 9, 2, 0))
    return Split(codes, np.column_stack([spans, kinds, numbers]))


def assert_right_choice(split: Split, complement=None, errors: float = 1.0) -> None:
    """No lower order beats the chosen one by more than so many standard errors, where these are more than the
    half of the last digit shown; and guessing does not beat it."""
    choice = split.choose(complement)
    tallies = [split.tally(-found) for found in choice.log_probabilities(split.codes, split.parts["test"])]
    chosen = tallies[choice.best.order]
    for lower in tallies[: choice.best.order]:
        found = compare_tallies(lower, chosen)
        assert found.bits > -max(errors * found.error, NEGLIGIBLE)
    size = sum(stop - start for start, stop in split.parts["test"])
    found = compare_tallies(chosen, split.tally(np.full(size, np.log(split.vocab_size - FIRST))))
    assert found.bits < max(found.error, NEGLIGIBLE)


@pytest.mark.data
@pytest.mark.parametrize("name", GENOMES)
def test_no_lower_order_beats_that_chosen_for_a_genome(name):
    # Two validation blocks of five hold copies in Mycoplasma, and one test block of ten: 1.7 errors.
    errors = 2.0 if name == "Mycoplasma mycoides" else 1.0
    assert_right_choice(genome(name), COMPLEMENT, errors)


@pytest.mark.data
@pytest.mark.parametrize("name", TEXTS)
def test_no_lower_order_beats_that_chosen_for_proteins_and_tunes(name):
    assert_right_choice(records(name))


def test_a_repeat_that_fills_one_validation_block_does_not_decide():
    """A block is a copy of training text, so that high orders seem to gain: 0.3 bits in all."""
    split = genome("Chlamydia D")
    start, stop = split.parts["validation"][2]
    source = split.parts["train"][0, 0]
    codes = split.codes.copy()
    codes[start:stop] = codes[source : source + stop - start]
    copied = Split(codes, np.zeros((0, 4), np.int64))
    copied.parts = split.parts
    choice = copied.choose(COMPLEMENT)
    assert max(each.validation_bits for each in choice.orders) - choice.orders[-1].validation_bits > 0.25
    plain = split.tally(-split.choose(COMPLEMENT).best.log_probabilities(codes, split.parts["test"]))
    found = compare_tallies(split.tally(-choice.best.log_probabilities(codes, split.parts["test"])), plain)
    assert abs(found.bits) < 0.005


def test_gains_that_begin_only_at_high_orders_are_found():
    """Copies of random text: orders up to 4 learn nothing, higher ones nearly all."""
    rng = np.random.default_rng(0)
    source = rng.integers(3, 7, 20_000).astype(np.uint8)
    starts = rng.integers(0, len(source) - 300, 40)
    codes = np.concatenate([source, *(source[at : at + 300] for at in starts)])
    held_out = [(20_000 + 300 * n, 20_300 + 300 * n) for n in range(40)]
    choice = choose_markov(SplitCodes(codes, [(0, 20_000)], held_out, 7), range(17))
    assert min(each.validation_bits for each in choice.orders[:4]) > 1.98
    assert choice.best.validation_bits < 0.4


def test_an_empty_split_and_a_code_outside_the_alphabet_are_errors():
    codes = np.array([2, 3, 9], np.uint8)
    with pytest.raises(DataError, match="the training split has no symbols"):
        choose_markov(SplitCodes(codes, [], [(0, 2)], 4))
    with pytest.raises(DataError, match="the validation split has no symbols"):
        choose_markov(SplitCodes(codes, [(0, 2)], [], 4))
    with pytest.raises(DataError, match="code 9, but the alphabet ends at 3"):
        Markov.fit(codes, [(0, 3)], 4, [1.0])


def test_the_best_order_is_the_one_the_data_were_drawn_from():
    rng = np.random.default_rng(0)
    words = rng.integers(2, 6, (16, 3))  # any three symbols decide the next: order 3, no less
    table = {tuple(w): int(rng.integers(2, 6)) for w in np.ndindex(6, 6, 6)}
    codes = list(words[0])
    for _ in range(20_000):
        codes.append(table[tuple(codes[-3:])] if rng.random() < 0.8 else int(rng.integers(2, 6)))
    codes = np.array(codes, np.uint16)
    model = choose_markov(SplitCodes(codes, [(0, 15_000)], [(15_000, 20_000)], 6)).best
    assert model.order == 3
    scores = model.log_probabilities(codes, [(15_000, 20_000)])
    assert model.validation_bits == pytest.approx(-scores.mean() / np.log(2), abs=1e-6)


def test_a_corpus_too_large_is_counted_in_part_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr("pipeline.models.ngram.markov_choice.MAX_COUNTED", 300_000)
    codes = np.random.default_rng(0).integers(1, 5, 1_100_000).astype(np.uint8)
    with caplog.at_level("INFO"):
        model = choose_markov(SplitCodes(codes, [(0, 1_000_000)], [(1_000_000, 1_100_000)], 5), range(3)).best
    assert model.levels[0].counts.sum() <= 300_000
    assert "training on one part in 4 of 1,000,000 symbols" in caplog.text


def test_fly_chromosome_4_costs_less_than_the_known_figure(shared_data):
    folder = shared_data / "fly_chr4_dm3"
    with gzip.open(folder / "dm3_chr4.fa.gz") as stream:
        sequence = b"".join(stream.read().split(b"\n")[1:])
    codes = np.frombuffer(sequence.translate(DNA), np.uint8)
    codes = np.where(codes < 7, codes, 0).astype(np.uint8)
    parts = {name: [] for name in SUBSETS}
    for line in (folder / "split.tsv").read_text().splitlines()[1:]:
        start, stop, part = line.split("\t")
        parts[part].append((int(start), int(stop)))
    model = choose_markov(
        SplitCodes(codes, parts["train"], parts["validation"], 7), range(17), COMPLEMENT
    ).best
    assert model.both_strands
    bits = -model.log_probabilities(codes, parts["test"]).mean() / np.log(2)
    # An order-12 model with one strength of smoothing throughout reaches 1.858 here.
    assert bits < 1.80
