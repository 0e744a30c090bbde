"""Minimizers of encoded sequences: the few k-mers that stand for a sequence where it is compared with others.

The minimizer of a window of neighbouring k-mers is the one whose hash is the smallest. Two sequences with a
common substring longer than a window have its minimizers in common, wherever the substring lies: so a
fragment's minimizers are all contained in those of its source. With a complement, a k-mer and its reverse
complement are one.

Sources: M. Roberts et al., Reducing storage requirements for biological sequence comparison, Bioinformatics
20 (2004) 3363; S. Schleimer et al., Winnowing, SIGMOD 2003.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from pipeline.data.alphabet import SPECIALS, Alphabet
from pipeline.domain import Domain

MAX_MINIMIZERS = 2**23
"""Of a whole corpus of records; eight bytes each. Windows grow with the corpus."""
MAX_PLACED = 2**21
"""Of one whose minimizers' places are looked at, too: long sequences share long substrings."""
CHUNK_SYMBOLS = 2**20
"""Read from the disk at once, unless one record is longer."""
HASH_BITS = 32


@dataclass(frozen=True)
class Sketcher:
    """Finds the minimizers of codes of one alphabet. `partners` is symbol number to number of the
    complement, or empty."""

    k: int
    window: int
    bits: int
    partners: np.ndarray

    @classmethod
    def of(cls, domain: Domain, alphabet: Alphabet, symbols: int, most: int = MAX_MINIMIZERS) -> "Sketcher":
        """The domain's, with windows so wide that a corpus of `symbols` has some `most` minimizers at most.

        Raises ValueError where a k-mer does not fit into 64 bits.
        """
        settings, complement = domain.sketch, domain.complement or {}
        bits = max(1, (len(alphabet.symbols) - 1).bit_length())
        if bits * settings.k > 64:
            raise ValueError(f"{settings.k}-mers of {len(alphabet.symbols)} symbols have more than 64 bits")
        paired = [complement[each] for each in alphabet.symbols] if complement else []
        partners = [alphabet.code(each) - len(SPECIALS) for each in paired]
        # A window of w k-mers has 2 / (w + 1) minimizers a symbol on average.
        window = max(settings.window, 2 * symbols // most)
        return cls(settings.k, window, bits, np.array(partners, np.int64))

    def keys(
        self, codes: np.ndarray, spans: np.ndarray, first_record: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """``hash << 32 | record`` of each minimizer, uint64, and where in `codes` it starts, int64.

        `spans` is ``(records, 2)``, in codes; the first one is record `first_record`.
        """
        most, count = int((spans[:, 1] - spans[:, 0]).sum()), -1
        room = 4 * most // (self.window + 1) + len(spans)  # twice the expected number
        while count < 0:
            keys, at = np.empty(room, np.uint64), np.empty(room, np.int64)
            count = _find(
                codes, spans, self.k, self.window, self.bits, len(SPECIALS), self.partners, keys, at
            )
            room = most
        return keys[:count] + np.uint64(first_record), at[:count].copy()

    def read(self, path: Path, dtype: np.dtype, spans: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`keys` of a file of codes, and places in it, some `CHUNK_SYMBOLS` at once.

        `spans` is ``(records, 2)``, of all records of the file.
        """
        for first, codes, within in read_codes(path, dtype, spans):
            keys, at = self.keys(codes, within, first)
            yield keys, at + int(spans[first, 0])


def read_codes(
    path: Path, dtype: np.dtype, spans: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Neighbouring records of a file of codes, some `CHUNK_SYMBOLS` at once: the number of the first, their
    codes, and their spans within these."""
    first = 0
    while first < len(spans):
        start = int(spans[first, 0])
        last = max(first + 1, int(np.searchsorted(spans[:, 1], start + CHUNK_SYMBOLS, side="right")))
        stop = int(spans[last - 1, 1])
        codes = np.fromfile(path, dtype, stop - start, offset=start * np.dtype(dtype).itemsize)
        yield first, codes, spans[first:last] - start
        first = last


@njit(cache=True, nogil=True)
def _mixed(key: np.uint64) -> np.uint64:
    """The finaliser of MurmurHash3 (Appleby, 2008), one-to-one: the order of hashes is not that of k-mers."""
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@njit(cache=True, nogil=True)
def _find(
    codes: np.ndarray, spans: np.ndarray, k: int, window: int, bits: int, lowest: int, partners: np.ndarray,
    keys: np.ndarray, places: np.ndarray,
) -> int:  # fmt: skip
    """Fill `keys` and `places`, and count them; -1 where there is no room for all. A run of symbols with
    fewer than `window` k-mers has one minimizer."""
    count, paired = 0, len(partners) > 0
    mask = np.uint64(2**64 - 1) >> np.uint64(64 - bits * k)
    high, step = np.uint64(bits * (k - 1)), np.uint64(bits)
    ring = np.zeros(window, np.uint64)  # hashes of the last k-mers, the latest at `slot`
    for record in range(len(spans)):
        forward = backward = best = np.uint64(0)
        filled, slot, best_at, told_at = 0, 0, -1, -1
        for at in range(spans[record, 0], spans[record, 1] + 1):
            code = -1 if at == spans[record, 1] else np.int64(codes[at]) - lowest
            if code < 0:  # an end: of few k-mers the smallest
                if best_at > told_at:
                    if count == len(keys):
                        return -1
                    keys[count] = (best & np.uint64(0xFFFFFFFF00000000)) | np.uint64(record)
                    places[count] = best_at
                    count += 1
                filled, best_at, told_at = 0, -1, -1
                continue
            forward = ((forward << step) | np.uint64(code)) & mask
            if paired:
                backward = (backward >> step) | (np.uint64(partners[code]) << high)
            filled += 1
            if filled < k:
                continue
            hashed, place = _mixed(min(forward, backward) if paired else forward), at - k + 1
            slot = 0 if slot == window - 1 else slot + 1
            ring[slot] = hashed
            if best_at < 0 or hashed < best:
                best, best_at = hashed, place
            elif best_at <= place - window:  # the smallest has left the window
                best, best_at = hashed, place
                for back in range(1, window):
                    each = ring[slot - back if slot >= back else slot - back + window]
                    if each < best:
                        best, best_at = each, place - back
            if filled >= window + k - 1 and best_at > told_at:
                if count == len(keys):
                    return -1
                keys[count] = (best & np.uint64(0xFFFFFFFF00000000)) | np.uint64(record)
                places[count] = best_at
                count += 1
                told_at = best_at
    return count
