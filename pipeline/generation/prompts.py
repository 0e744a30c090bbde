"""The primes of samples: texts, records of a file, or the beginnings of test records."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from pipeline.config.sampling import SampleSettings
from pipeline.data.alphabet import Alphabet
from pipeline.data.corpus import Corpus
from pipeline.domain import Domain
from pipeline.errors import ConfigError
from pipeline.records import Record, Symbols
from pipeline.runtime.files import find_fault

HELD_OUT = "heldout"
MAX_PRIMES = 10_000
"""Records of a file that become primes, at most."""


def list_texts(settings: SampleSettings) -> list[str]:
    """The primes as the settings have them."""
    return settings.grid.primes or settings.primes or [settings.prime]


def prime_files(settings: SampleSettings) -> list[Path]:
    """The files that primes name; ConfigError where a file is missing."""
    return [_find_file(text) for text in list_texts(settings) if _names_records(text) and text[0] == "@"]


def uses_held_out(settings: SampleSettings) -> bool:
    """Whether primes are taken from the test split."""
    return any(_names_records(text) and text == HELD_OUT for text in list_texts(settings))


def _names_records(text: str) -> bool:
    """Whether a text names records instead of being a prime."""
    return text == HELD_OUT or text.startswith("@")


def _find_file(text: str) -> Path:
    path = Path(text[1:]).expanduser()
    if fault := find_fault(path, f"there is no file {path.resolve()}"):
        raise ConfigError(f"sample.prime={text}: {fault}")
    return path


def parse_primes(
    domain: Domain, settings: SampleSettings, alphabet: Alphabet | None = None, corpus: Corpus | None = None
) -> tuple[Symbols, ...]:
    """Read the primes of the samples, which take turns; for a grid, the primes of its rows.

    Parameters
    ----------
    domain
        Says what a prime is.
    settings
        The settings of the sample stage.
    alphabet
        The symbols of the model, where they are known.
    corpus
        The corpus with held-out records; without one, there are no held-out primes.

    Returns
    -------
    tuple of Symbols
        The primes.

    Raises
    ------
    ConfigError
        A prime breaks the domain's grammar, has a symbol that is not in `alphabet`, or leaves no room.
    """
    primes = []
    for text in list_texts(settings):
        if not _names_records(text):
            primes.append(domain.parse_prime(text) if text else "")
        elif text != HELD_OUT:
            limit = settings.grid.rows if settings.grid.primes else MAX_PRIMES
            primes += _read_file(domain, _find_file(text), settings.prime_length, limit)
        elif corpus is not None:
            primes += _take_held_out(domain, settings, corpus)
        else:
            return ()
    for prime in primes:
        _check(prime, settings.length or domain.sample_length, alphabet)
    return tuple(primes)


def _read_file(domain: Domain, path: Path, length: int | None, limit: int) -> list[Symbols]:
    records = (each for each in domain.read(path) if isinstance(each, Record))
    primes = [record.symbols[:length] for record in islice(records, limit)]
    if not primes:
        raise ConfigError(f"sample.prime=@{path}: the file has no record that this domain can read")
    return primes


def _take_held_out(domain: Domain, settings: SampleSettings, corpus: Corpus) -> list[Symbols]:
    """The beginnings of test records, or windows of long ones, evenly spread: one for each sample, or for
    each row of a grid."""
    if settings.prime_length is None:
        raise ConfigError("sample.prime=heldout: set sample.prime_length, the symbols to take of each record")
    count = settings.grid.rows if settings.grid.primes else settings.count
    return list(_spread_windows(domain, corpus, settings.prime_length, count))


def _spread_windows(domain: Domain, corpus: Corpus, length: int, count: int) -> Iterator[Symbols]:
    spans = corpus.subset_segments("test")
    long_enough = spans[spans[:, 1] - spans[:, 0] >= length]
    if not len(long_enough):
        raise ConfigError(
            f"sample.prime_length={length}: no record of the test split is as long; the longest has "
            f"{int((spans[:, 1] - spans[:, 0]).max())} symbols"
        )
    # A sequence that has an end also has a beginning, and is continued from there.
    step = length if domain.open_ended else 2**62
    starts = np.concatenate([np.arange(a, b - length + 1, step) for a, b in long_enough[:, :2]])
    chosen = starts[np.linspace(0, len(starts) - 1, min(count, len(starts))).round().astype(int)]
    for start in chosen:
        yield corpus.alphabet.decode(corpus.codes[start : start + length])


def _check(prime: Symbols, length: int, alphabet: Alphabet | None) -> None:
    for position, symbol in enumerate(prime, start=1):
        if alphabet is not None and symbol not in alphabet:
            raise ConfigError(
                f"sample.prime: symbol {symbol!r} at position {position} is not among what the model learns, "
                f"{alphabet}; leave it out or replace it"
            )
    if len(prime) >= length:
        raise ConfigError(
            f"sample.prime has {len(prime)} symbols and sample.length={length} leaves no room for "
            "more; raise sample.length, or take fewer with sample.prime_length"
        )
