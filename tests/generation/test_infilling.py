"""Gaps are filled by the domain's grammar and the constraints, and in bars where there are bars."""

from pathlib import Path

import pytest

from pipeline.config.sampling import FillSettings, SampleSettings
from pipeline.data.alphabet import Alphabet
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.music.abc.domain import Abc
from pipeline.domains.music.abc.music_tokens import find_bar_ends
from pipeline.domains.music.abc.tune_text import parse_tune
from pipeline.errors import ConfigError
from pipeline.generation.constrained.constraint_processor import find_violation
from pipeline.generation.constrained.constraints import ConstraintAlphabet, build_constraints
from pipeline.generation.infilling import Gap, fill
from pipeline.generation.request import Request
from pipeline.generation.sampling_run import SamplingRun
from pipeline.models.checkpoint import load
from pipeline.models.recurrent import Recurrent
from pipeline.records import Record

PRETRAINED = Path(__file__).resolve().parents[2] / "datasets" / "folk" / "pretrained.ckpt"
LEFT, RIGHT = "R:jig M:6/8 L:1/8 K:D A|dfa afd|gfg e2d|", "dfa afd|gfg e2d|faf gec|d3 d2:|"


@pytest.fixture(scope="module")
def folk():
    return load(PRETRAINED)


def filled(folk, left: str, right: str, constraints: tuple[dict, ...] = (), **gap) -> list:
    settings = SampleSettings(
        count=4, temperature=0.8, fill=FillSettings(right=right, **gap), constraints=[*constraints]
    )
    domain = Abc()
    return list(SamplingRun(folk, domain, settings, 0, (domain.parse_prime(left),)).samples())


@pytest.mark.parametrize(("gap", "bars"), [({}, 1), ({"bars": 2}, 2)])
def test_a_tune_gets_whole_bars_that_make_it_valid(folk, gap, bars):
    samples = filled(folk, LEFT, RIGHT, **gap)
    assert len(samples) == 4
    for sample in samples:
        assert isinstance(Abc().finish(sample), Record)
        assert len(parse_tune(sample.text).parsed.bars) == 3 + bars + 4
        assert sample.text.endswith("dfaafd|gfge2d|fafgec|d3d2:|")
    ranks = [sample.ranked_by for sample in samples]
    assert ranks == sorted(ranks, reverse=True)


def test_a_right_side_may_bring_the_bar_line_along(folk):
    for sample in filled(folk, LEFT + "dfa", f"|{RIGHT}"):
        assert "dfa" in sample.text and "||" not in sample.text
        assert len(parse_tune(sample.text).parsed.bars) == 3 + 1 + 4


def test_a_tune_keeps_constraints_too(folk):
    for sample in filled(folk, LEFT, RIGHT, ({"kind": "motifs", "never": ["e2d|d", "A2"]},)):
        assert "A2" not in sample.text and "e2d|d" not in sample.text[: -len("dfaafd|gfge2d|fafgec|d3d2:|")]


def test_a_right_side_that_nothing_fits_is_an_error_with_the_reasons(folk):
    with pytest.raises(ConfigError, match=r"0 different candidates fit .* bar too long 200"):
        filled(folk, LEFT, "dfa afd g|gfg e2d|d3 d2:|")
    with pytest.raises(ConfigError, match=r"sample\.fill\.right: .*write music"):
        filled(folk, LEFT, "dfa & gfe|")


def test_constraints_hold_across_both_borders_of_a_gap():
    dna = Alphabet("ACGT")
    language = ConstraintAlphabet.from_domain(Nucleotide(), dna)
    wishes = build_constraints([{"kind": "motifs", "never": ["GAATTC"]}, {"kind": "end", "one_of": ["TCC"]}])
    gap = Gap(
        Nucleotide(), FillSettings("TCC", shortest=1, longest=1, candidates=60), "TCC",
        find_violation=lambda symbols, begun: find_violation(wishes, language, dna.encode(symbols), begun),
    )  # fmt: skip
    request = Request(4, 5, 1, "GAAT", open_ended=True)
    model = Recurrent("lstm", 8, 1).build(len(dna)).eval()
    found = {sample.text for sample in fill(model, dna, request, gap)}
    assert found == {"GAATATCC", "GAATCTCC", "GAATGTCC", "GAATTTCC"}
    one_letter_less = Request(4, 4, 1, "GAA", open_ended=True)
    assert {s.text for s in fill(model, dna, one_letter_less, gap)} == {"GAAATCC", "GAACTCC", "GAAGTCC"}


def test_a_genome_has_no_bars_and_a_length_is_given_once():
    with pytest.raises(ConfigError, match=r"this domain has no bars"):
        _ = Gap(Nucleotide(), FillSettings("A", bars=2), "A").bars
    with pytest.raises(ConfigError, match="give the length in one of them"):
        FillSettings("A", bars=2, longest=5)
    assert FillSettings("A").lengths == range(10, 11) and FillSettings("A", longest=5).lengths == range(5, 6)


@pytest.mark.parametrize("tokens", [True, False])
def test_bars_end_at_their_lines_with_the_numbers_of_endings(tokens):
    domain = Abc(representation="token" if tokens else "char")
    symbols = domain._symbols("M:2/4\nL:1/8\nK:D\n|:A2B2|1cdef:|2A4|]")
    found = ["".join(symbols[slice(*pair)]) for pair in find_bar_ends(symbols, 0)]
    assert found == ["|:", "|1", ":|2", "|]"][-len(found) :]
