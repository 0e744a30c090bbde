"""What a prime may be: the right start of a tune, or an error that names the fault."""

import pytest

from pipeline.domains.music.abc.normal_form_options import NormalFormOptions
from pipeline.domains.music.abc.prime import parse_prime
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("M:6/8 K:D minor", "M:6/8\nL:1/8\nK:Dm\n"),
        ("M:6/8 K:D fab", "M:6/8\nL:1/8\nK:D\nfab"),
        ("M:6/8 K:D TdAF vd2z", "M:6/8\nL:1/8\nK:D\nTdAFd2z"),
        ("M:6/8 K:D dorain dAF", "M:6/8\nL:1/8\nK:DDor\ndAF"),
    ],
)
def test_key_mode_and_first_notes(text, start):
    assert parse_prime(text, NormalFormOptions()) == start


@pytest.mark.parametrize("text", ["K:D mnor", "M:6/8 K:D mnor dAF", "M:6/8 K:D\nmnor"])
def test_an_unknown_mode_is_named(text):
    with pytest.raises(ConfigError, match="unknown mode 'mnor' in K:D mnor"):
        parse_prime(text, NormalFormOptions())


def test_a_word_of_note_letters_and_others_is_an_unknown_mode():
    with pytest.raises(ConfigError, match="unknown mode 'freygish'"):
        parse_prime("M:6/8 K:D freygish", NormalFormOptions())
