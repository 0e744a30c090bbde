"""Minimizers of encoded sequences: a sample of their k-mers by which sequences are compared.

The minimizer of a window of adjacent k-mers is the k-mer with the smallest hash. Two sequences with a common
substring longer than a window share its minimizers, wherever the substring is. The minimizers of a fragment
are therefore contained in those of its source. With a complement, a k-mer and its reverse complement count as
the same.

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
"""Minimizers of a whole corpus, at most, of eight bytes each. Windows grow with the corpus."""
MAX_PLACED = 2**21
"""The same where positions are needed too: long sequences share long substrings."""
CHUNK_SYMBOLS = 2**20
"""Symbols that are read at once, unless a record is longer."""
HASH_BITS = 32


@dataclass(frozen=True)
class Sketcher:
    """Finds the minimizers of codes of one alphabet.

    `partners` maps the number of a symbol to that of its complement; it is empty without a complement.
    """

    k: int
    window: int
    bits: int
    partners: np.ndarray

    @classmethod
    def for_corpus(
        cls, domain: Domain, alphabet: Alphabet, symbols: int, max_minimizers: int = MAX_MINIMIZERS
    ) -> "Sketcher":
        """Build the sketcher of a domain, with windows so wide that a corpus has about `max_minimizers` at
        most.

        `symbols` is the length of the corpus. Raises ValueError where the domain has no sketch, or where a
        k-mer does not fit into 64 bits.
        """
        settings, complement = domain.sketch, domain.complement or {}
        if settings is None:
            raise ValueError("this domain has no sketch")
        bits = max(1, (len(alphabet.symbols) - 1).bit_length())
        if bits * settings.k > 64:
            raise ValueError(f"{settings.k}-mers of {len(alphabet.symbols)} symbols have more than 64 bits")
        paired = [complement[each] for each in alphabet.symbols] if complement else []
        partners = [alphabet.code(each) - len(SPECIALS) for each in paired]
        # A window of w k-mers has 2 / (w + 1) minimizers per symbol on average.
        window = max(settings.window, 2 * symbols // max_minimizers)
        return cls(settings.k, window, bits, np.array(partners, np.int64))

    def keys(
        self, codes: np.ndarray, spans: np.ndarray, first_record: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ``hash << 32 | record`` of each minimizer, uint64, and its position in `codes`, int64.

        `spans` is ``(records, 2)``, in codes; the first record has the number `first_record`.
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
        """Yield `keys` and positions of a file of codes, about `CHUNK_SYMBOLS` at once.

        `spans` is ``(records, 2)``, of all records of the file.
        """
        for first, codes, within in read_codes(path, dtype, spans):
            keys, at = self.keys(codes, within, first)
            yield keys, at + int(spans[first, 0])


def read_codes(
    path: Path, dtype: np.dtype, spans: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield adjacent records of a file of codes, about `CHUNK_SYMBOLS` at once.

    Each item is the number of the first record, the codes, and the spans of the records within these codes.
    """
    first = 0
    while first < len(spans):
        start = int(spans[first, 0])
        last = max(first + 1, int(np.searchsorted(spans[:, 1], start + CHUNK_SYMBOLS, side="right")))
        stop = int(spans[last - 1, 1])
        codes = np.fromfile(path, dtype, stop - start, offset=start * np.dtype(dtype).itemsize)
        yield first, codes, spans[first:last] - start
        first = last


@njit(cache=True, nogil=True)
def _hash(key: np.uint64) -> np.uint64:
    """Hash a k-mer by the finaliser of MurmurHash3 (Appleby, 2008), which is one-to-one."""
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    key = (key ^ (key >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return key ^ (key >> np.uint64(33))


@njit(cache=True, nogil=True)
def _find(
    codes: np.ndarray, spans: np.ndarray, k: int, window: int, bits: int, lowest: int, partners: np.ndarray,
    keys: np.ndarray, positions: np.ndarray,
) -> int:  # fmt: skip
    """Fill `keys` and `positions` and count them; return -1 where they do not have enough room.

    A run of symbols with fewer than `window` k-mers has one minimizer. The kernel takes nine parameters,
    because numba passes a bundle more slowly.
    """
    count, paired = 0, len(partners) > 0
    mask = np.uint64(2**64 - 1) >> np.uint64(64 - bits * k)
    high, step = np.uint64(bits * (k - 1)), np.uint64(bits)
    ring = np.zeros(window, np.uint64)  # hashes of the last k-mers, the last one at `slot`
    for record in range(len(spans)):
        forward = backward = best = np.uint64(0)
        filled, slot, best_at, written_at = 0, 0, -1, -1
        for at in range(spans[record, 0], spans[record, 1] + 1):
            code = -1 if at == spans[record, 1] else np.int64(codes[at]) - lowest
            if code < 0:  # the end of a run: the smallest of few k-mers
                if best_at > written_at:
                    if count == len(keys):
                        return -1
                    keys[count] = (best & np.uint64(0xFFFFFFFF00000000)) | np.uint64(record)
                    positions[count] = best_at
                    count += 1
                filled, best_at, written_at = 0, -1, -1
                continue
            forward = ((forward << step) | np.uint64(code)) & mask
            if paired:
                backward = (backward >> step) | (np.uint64(partners[code]) << high)
            filled += 1
            if filled < k:
                continue
            hashed, position = _hash(min(forward, backward) if paired else forward), at - k + 1
            slot = 0 if slot == window - 1 else slot + 1
            ring[slot] = hashed
            if best_at < 0 or hashed < best:
                best, best_at = hashed, position
            elif best_at <= position - window:  # the smallest has left the window
                best, best_at = hashed, position
                for back in range(1, window):
                    each = ring[slot - back if slot >= back else slot - back + window]
                    if each < best:
                        best, best_at = each, position - back
            if filled >= window + k - 1 and best_at > written_at:
                if count == len(keys):
                    return -1
                keys[count] = (best & np.uint64(0xFFFFFFFF00000000)) | np.uint64(record)
                positions[count] = best_at
                count += 1
                written_at = best_at
    return count
