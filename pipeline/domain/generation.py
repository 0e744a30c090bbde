"""The part of the interface `Domain` that requests, constrains and checks samples."""

import abc
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pipeline.grammar import Grammar
from pipeline.records import Record, Rejection, Sample, Symbols
from pipeline.segments import Segments

AttributeCounts = Counter[frozenset[tuple[str, str]]]
"""The number of records with each set of attributes, which are pairs of name and value."""


class GenerationInterface(abc.ABC):
    """The defaults of sampling in a domain, and its methods that request, constrain and check samples."""

    open_ended: ClassVar[bool] = False
    """True where sequences have no natural end; then the end symbol is neither learned nor sampled."""
    lead: ClassVar[int] = 0
    """The default of `sample.lead` in an open-ended domain, in symbols."""
    gap_unit: ClassVar[str | None] = None
    """The unit of the length of a gap for infilling, such as bar; None: symbols."""
    gap_symbols: ClassVar[int] = 1
    """Symbols of a `gap_unit`, at most."""
    request_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that request attributes of samples. With other values, samples are drawn again, without
    training."""

    @property
    def sample_length(self) -> int:
        """The default of `sample.length` in this domain.

        Returns
        -------
        int
            Symbols.
        """
        return 500

    @property
    def has_requests(self) -> bool:
        """Whether the settings request attributes that only the grammar can guarantee.

        Returns
        -------
        bool
            False by default.
        """
        return False

    def segments(self, symbols: Sequence[str]) -> Segments | None:
        """Describe how symbols divide sequences into segments, for lookback features.

        Parameters
        ----------
        symbols : Sequence[str]
            The alphabet, in its order.

        Returns
        -------
        Segments | None
            None where sequences have no segments.
        """
        return None

    @property
    def requested(self) -> Mapping[str, str]:
        """Attributes that the settings request of every sample.

        Returns
        -------
        Mapping[str, str]
            Setting to value, as in `attributes`.
        """
        return {}

    def requested_attributes(self, prime: Symbols) -> Mapping[str, str]:
        """Return the attributes that the settings and a prime request of a sample.

        Parameters
        ----------
        prime : Symbols
            The start of the sample.

        Returns
        -------
        Mapping[str, str]
            Setting to value. Only real records with these attributes are references for the sample.
        """
        return self.requested

    def attributes(self, record: Record) -> Mapping[str, str]:
        """Return the attributes of a record that can be requested.

        Parameters
        ----------
        record : Record
            The record.

        Returns
        -------
        Mapping[str, str]
            The name of the setting to the value.
        """
        return {}

    def grammar(self, symbols: Sequence[str], training: AttributeCounts | None = None) -> Grammar | None:
        """Build the grammar for models of these symbols.

        Parameters
        ----------
        symbols : Sequence[str]
            The alphabet of the model, in its order.
        training : AttributeCounts | None
            Counts of the attributes of the training records. Requested attributes then imply others that
            occur with them.

        Returns
        -------
        Grammar | None
            None where every sequence is valid.

        Raises
        ------
        ConfigError
            Where no training record has the requested attributes together.
        """
        return None

    def shuffle_start(self, symbols: Symbols) -> int:
        """Return the position before which symbols stay in place in the shuffled baseline.

        Parameters
        ----------
        symbols : Symbols
            A sequence.

        Returns
        -------
        int
            The position, from 0.
        """
        return 0

    def parse_prime(self, text: str) -> Symbols:
        """Parse a prime that the user gives as text.

        Parameters
        ----------
        text : str
            The start of a sequence.

        Returns
        -------
        Symbols
            Its symbols, and those before it that the grammar implies.
        """
        return text

    def parse_rest(self, text: str) -> Symbols:
        """Parse the end of a sequence that the user gives as text.

        Parameters
        ----------
        text : str
            The end of a sequence.

        Returns
        -------
        Symbols
            Its symbols.
        """
        return text

    def gap_end(self, symbols: Symbols, begun: int, units: int, right: Symbols) -> int | None:
        """Find the end of a gap of a number of `gap_unit` in a candidate of infilling.

        Parameters
        ----------
        symbols : Symbols
            The candidate.
        begun : int
            The first symbol of the gap.
        units : int
            The length of the gap, in `gap_unit`.
        right : Symbols
            The right context.

        Returns
        -------
        int | None
            The end, exclusive; None where the candidate is too short.
        """
        return begun + units if begun + units <= len(symbols) else None

    @abc.abstractmethod
    def finish(self, sample: Sample) -> Record | Rejection:
        """Check and normalise one raw sample.

        Parameters
        ----------
        sample : Sample
            A sequence as the model wrote it.

        Returns
        -------
        Record | Rejection
            A rejection with a reason where the sample is invalid; never an error.
        """
