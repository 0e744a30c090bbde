"""Where sequences start: a text, several, the records of a file, or those of the test split."""

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
MOST = 10_000
"""Records of a file that are primes, at most."""


def texts_of(settings: SampleSettings) -> list[str]:
    """The primes as they are written."""
    return settings.grid.primes or settings.primes or [settings.prime]


def prime_files(settings: SampleSettings) -> list[Path]:
    """The files that primes name; ConfigError where one is missing."""
    return [_path(text) for text in texts_of(settings) if _stands_for_more(text) and text[0] == "@"]


def held_out(settings: SampleSettings) -> bool:
    """Whether a prime is of the test split."""
    return any(_stands_for_more(text) and text == HELD_OUT for text in texts_of(settings))


def _stands_for_more(text: str) -> bool:
    """Whether a text names records."""
    return text == HELD_OUT or text.startswith("@")


def _path(text: str) -> Path:
    path = Path(text[1:]).expanduser()
    if fault := find_fault(path, f"there is no file {path.resolve()}"):
        raise ConfigError(f"sample.prime={text}: {fault}")
    return path


def parse_primes(
    domain: Domain, settings: SampleSettings, alphabet: Alphabet | None = None, corpus: Corpus | None = None
) -> tuple[Symbols, ...]:
    """The starts of the samples, which they take in turn; for a grid, those of its rows.

    Without a corpus nothing is known of held-out primes, and none is given. Raises ConfigError where one is
    not of the domain's grammar, not in `alphabet`, where one is given, or leaves no room for more.
    """
    primes = []
    for text in texts_of(settings):
        if not _stands_for_more(text):
            primes.append(domain.parse_prime(text) if text else "")
        elif text != HELD_OUT:
            most = settings.grid.rows if settings.grid.primes else MOST
            primes += _of_file(domain, _path(text), settings.prime_length, most)
        elif corpus is not None:
            primes += _held_out(domain, settings, corpus)
        else:
            return ()
    for prime in primes:
        _check(prime, settings, alphabet)
    return tuple(primes)


def _of_file(domain: Domain, path: Path, length: int | None, most: int) -> list[Symbols]:
    records = (each for each in domain.read(path) if isinstance(each, Record))
    primes = [record.symbols[:length] for record in islice(records, most)]
    if not primes:
        raise ConfigError(f"sample.prime=@{path}: the file has no record that this domain can read")
    return primes


def _held_out(domain: Domain, settings: SampleSettings, corpus: Corpus) -> list[Symbols]:
    """The starts of test records or, of long ones, stretches, evenly spread, one for each sample, or row of a
    grid."""
    if settings.prime_length is None:
        raise ConfigError("sample.prime=heldout: set sample.prime_length, the symbols to take of each record")
    count = settings.grid.rows if settings.grid.primes else settings.count
    return list(_stretches(domain, corpus, settings.prime_length, count))


def _stretches(domain: Domain, corpus: Corpus, length: int, count: int) -> Iterator[Symbols]:
    spans = corpus.subset_segments("test")
    long_enough = spans[spans[:, 1] - spans[:, 0] >= length]
    if not len(long_enough):
        raise ConfigError(
            f"sample.prime_length={length}: no record of the test split is as long; the longest has "
            f"{int((spans[:, 1] - spans[:, 0]).max())} symbols"
        )
    # A sequence that has an end has a start, too, and is continued from there.
    step = length if domain.open_ended else 2**62
    starts = np.concatenate([np.arange(a, b - length + 1, step) for a, b in long_enough[:, :2]])
    chosen = starts[np.linspace(0, len(starts) - 1, min(count, len(starts))).round().astype(int)]
    for start in chosen:
        yield corpus.alphabet.decode(corpus.codes[start : start + length])


def _check(prime: Symbols, settings: SampleSettings, alphabet: Alphabet | None) -> None:
    for position, symbol in enumerate(prime, start=1):
        if alphabet is not None and symbol not in alphabet:
            raise ConfigError(
                f"sample.prime: symbol {symbol!r} at position {position} is not among what the model learns, "
                f"{alphabet}; leave it out or replace it"
            )
    if len(prime) >= settings.length:
        raise ConfigError(
            f"sample.prime has {len(prime)} symbols and sample.length={settings.length} leaves no room for "
            "more; raise sample.length, or take fewer with sample.prime_length"
        )
