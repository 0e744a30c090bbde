"""Symbols and their integer codes. Only this module maps unknown symbols.

Codes 0, 1 and 2 are special symbols. The symbols of the domain follow, in a fixed (IUPAC) or sorted order.
The alphabet is stored with the encoded data and in every checkpoint; the two are compared before they are
used together.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.errors import DataError
from pipeline.records import Symbols

BOS, EOS, UNKNOWN = 0, 1, 2
SPECIALS = ("<bos>", "<eos>", "<unk>")


class Alphabet:
    """An immutable, ordered set of symbols.

    >>> dna = Alphabet("ACGT")
    >>> dna.encode("GATTACA")
    array([5, 3, 6, 6, 3, 4, 3], dtype=uint8)
    >>> dna.decode(dna.encode("GATTACA"))
    'GATTACA'
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = tuple(symbols)
        if len(set(self.symbols)) != len(self.symbols):
            raise DataError("an alphabet has the same symbol twice")
        if len(self) > 2**16:
            raise DataError(f"{len(self.symbols)} different symbols; at most {2**16 - 3} are allowed")
        self._codes = {symbol: code for code, symbol in enumerate(self.symbols, start=len(SPECIALS))}
        self.single_characters = all(len(symbol) == 1 for symbol in self.symbols)
        self.dtype = np.dtype(np.uint8 if len(self) <= 2**8 else np.uint16)
        self._table = self._character_table() if self.single_characters else None
        self._bytes = self._byte_table()
        if self.single_characters:
            self._points = np.array([ord(s) for s in ("\ufffd",) * len(SPECIALS) + self.symbols], "<u4")

    def __len__(self) -> int:
        """The vocabulary size, special symbols included."""
        return len(self.symbols) + len(SPECIALS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and self.symbols == other.symbols

    def __hash__(self) -> int:
        return hash(self.symbols)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._codes

    def code(self, symbol: str) -> int:
        """Return the code of one symbol; raise KeyError where it is not in the alphabet."""
        return self._codes[symbol]

    def encode(self, symbols: Symbols, unknown: str = "error", where: str = "sequence") -> np.ndarray:
        """Return the codes of a sequence, ``(length,)``; `unknown` is one of error, drop, replace.

        Raises DataError with the position of the first unknown symbol where `unknown` is "error".
        """
        if isinstance(symbols, str) and self._bytes is not None and symbols.isascii():
            coded = bytearray(symbols, "ascii").translate(self._bytes)
            codes = np.frombuffer(coded, np.uint8)
            if UNKNOWN not in coded:
                return codes
        elif isinstance(symbols, str) and self._table is not None:
            points = np.frombuffer(symbols.encode("utf-32-le", "surrogatepass"), np.uint32)
            codes = self._table[np.minimum(points, len(self._table) - 1)]
        else:
            codes = np.fromiter((self._codes.get(s, UNKNOWN) for s in symbols), self.dtype, len(symbols))
        unknown_at = np.flatnonzero(codes == UNKNOWN)
        if len(unknown_at) and unknown == "error":
            at = int(unknown_at[0])
            raise DataError(
                f"{where}: symbol {symbols[at]!r} at position {at + 1} is not in the alphabet "
                f"{self}; remove it, or set dataset.unknown=drop or replace"
            )
        return codes[codes != UNKNOWN] if unknown == "drop" else codes

    def decode(self, codes: Sequence[int] | np.ndarray) -> Symbols:
        """Invert `encode`: special symbols are left out, and unknown ones become U+FFFD."""
        codes = np.asarray(codes, np.int64)
        codes = codes[codes > EOS]
        if self.single_characters:
            return self._points[codes].tobytes().decode("utf-32-le", "surrogatepass")
        return tuple("\ufffd" if code == UNKNOWN else self.symbols[code - len(SPECIALS)] for code in codes)

    def __str__(self) -> str:
        shown = " ".join("␣" if s == " " else repr(s)[1:-1] for s in self.symbols[:100])
        return shown + (f" … ({len(self.symbols)} symbols)" if len(self.symbols) > 100 else "")

    def _character_table(self) -> np.ndarray:
        points = [ord(symbol) for symbol in self.symbols]
        # One entry past the last known character stands for all characters above it.
        table = np.full(max(points, default=0) + 2, UNKNOWN, self.dtype)
        table[points] = np.arange(len(SPECIALS), len(self))
        return table

    def _byte_table(self) -> bytes | None:
        """The code of every ASCII character, for whole texts; None where a code is more than a byte."""
        if not self.single_characters or self.dtype != np.uint8:
            return None
        return bytes(self._codes.get(chr(point), UNKNOWN) for point in range(2**8))
