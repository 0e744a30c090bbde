"""Samples, and the lines of `samples.jsonl` that hold them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.records.record import Symbols
from pipeline.runtime.files import open_regular, reading_back
from pipeline.runtime.plain_data import build_checked, load_json

MAX_SAMPLE_BYTES = 2**30
"""Size of a line of `samples.jsonl`, at most."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One raw sequence from a model.

    Attributes
    ----------
    index : int
        Its number in the run, from 0.
    seed : int
        The seed of the run.
    symbols : str | tuple[str, ...]
        The sequence, with its prime.
    prime_length : int
        Symbols of the prime.
    ended : bool
        Whether the model drew the end symbol.
    log_probability : float
        Log-probability of the symbols after the prime, in nats.
    temperature : float | None
        The temperature of sampling; None for beam search.
    ranked_by : float | None
        The score by which it was chosen among candidates, if it was.
    """

    index: int
    seed: int
    symbols: Symbols
    prime_length: int
    ended: bool
    log_probability: float
    temperature: float | None = None
    ranked_by: float | None = None

    @property
    def bits_per_symbol(self) -> float:
        """Mean surprisal of the sampled symbols, in bits; a drawn end symbol counts.

        Returns
        -------
        float
            Bits per symbol.
        """
        drawn = len(self.symbols) - self.prime_length + self.ended
        return -self.log_probability / max(drawn, 1) / 0.6931471805599453

    @property
    def text(self) -> str:
        """The symbols, joined.

        Returns
        -------
        str
            The text.
        """
        return "".join(self.symbols)

    def to_json(self) -> str:
        """Format a line of `samples.jsonl`.

        Returns
        -------
        str
            A JSON object, without a line break.
        """
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Sample":
        """Parse a line of `samples.jsonl`.

        Parameters
        ----------
        line : str | bytes
            The line.

        Returns
        -------
        Sample
            The sample.

        Raises
        ------
        ValueError
            Where the line is not a sample.
        """
        values = load_json(line)
        if isinstance(values, dict) and isinstance(values.get("symbols"), list):
            values["symbols"] = tuple(values["symbols"])
        sample = build_checked(cls, values)
        if sample.index < 0 or not 0 <= sample.prime_length <= len(sample.symbols):
            raise ValueError("a sample out of range")
        return sample


def read_samples(path: Path) -> Iterator[Sample]:
    """Stream the samples of a `samples.jsonl`.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    Sample
        The samples in their order.

    Raises
    ------
    DataError
        With the line, where one is damaged.
    """
    with open_regular(path) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(MAX_SAMPLE_BYTES), b""), start=1):
            with reading_back(Path(f"{path}:{number}"), "run the sample stage again: stages=[sample]"):
                sample = Sample.from_json(line)
            yield sample
