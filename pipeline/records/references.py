"""The reference groups with which samples are compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.records.record import Record


@dataclass(frozen=True)
class References:
    """The reference groups with which samples are compared.

    Attributes
    ----------
    groups : Mapping[str, Sequence[Record]]
        Sequences by the name of the group, in the order to show them: "held-out real" (of the test split, cut
        to the lengths of the samples in an open-ended domain), "Markov order k" (sampled from a Markov chain
        of low order) and "shuffled" (the samples with their dinucleotide counts kept).
    training : Callable[[], Iterator[Record]]
        Streams the training records at each call, so that a large genome need not fit in memory.
    control : Sequence[Record]
        Real sequences of the training split, cut like the samples: a positive control.
    blocks : Mapping[str, Sequence[str]]
        For "held-out real" and "training real", the block or record of each sequence; sequences of one block
        depend on each other.
    remarks : tuple[str, ...]
        Lines on how the groups fit the requested attributes.
    """

    groups: Mapping[str, Sequence[Record]]
    training: Callable[[], Iterator[Record]]
    control: Sequence[Record] = ()
    blocks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def compared(self) -> dict[str, Sequence[Record]]:
        """The groups, with the control as "training real" where there is one.

        Returns
        -------
        dict[str, Sequence[Record]]
            Sequences by the name of the group.
        """
        return {**self.groups, **({"training real": self.control} if self.control else {})}

    def texts_by_group(self, samples: Sequence[Record]) -> dict[str, list[str]]:
        """Return the texts of the samples and of each reference group.

        Parameters
        ----------
        samples : Sequence[Record]
            The finished samples.

        Returns
        -------
        dict[str, list[str]]
            Texts by the name of the group, "samples" first.
        """
        groups = {"samples": samples, **self.compared}
        return {name: [record.text for record in group] for name, group in groups.items()}
