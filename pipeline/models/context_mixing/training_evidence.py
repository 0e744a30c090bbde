"""The evidence of a training split, computed once before training, each piece as if it were new."""

import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from pipeline.data.alphabet import SPECIALS
from pipeline.data.batching import Window
from pipeline.data.corpus import Corpus
from pipeline.errors import ConfigError
from pipeline.models.context_mixing.evidence_layout import EvidenceLayout
from pipeline.models.context_mixing.training_index import (
    TrainingIndex,
    encode_letters,
    leave_one_out_evidence,
)
from pipeline.runtime.progress import bar

MAX_SYMBOLS = 2**25
"""The evidence of more symbols would fill the disk, and their index the memory."""
MIN_PIECE = 1_000


@dataclass(frozen=True)
class StoredEvidence:
    """The evidence for the symbol at each position of a corpus, in memory-mapped temporary files.

    `values` is ``(strands, symbols, layout.values)``, `letters` ``(…, 2, layout.width)``. The files have no
    names, so none remains however a training ends.
    """

    index: TrainingIndex
    values: np.ndarray
    letters: np.ndarray
    files: tuple[IO[bytes], IO[bytes]]

    @classmethod
    def compute(
        cls, layout: EvidenceLayout, corpus: Corpus, complement: np.ndarray | None, folder: Path
    ) -> "StoredEvidence":
        """Compute the evidence of the training split, piece by piece, each excluded while it is read.

        Pieces are as long as held-out segments, so that they match as much as new sequences will.
        `complement` maps code to code. Raises ConfigError where the split is too large.
        """
        segments = corpus.subset_segments("train")
        size = corpus.subset_size("train")
        if size > MAX_SYMBOLS:
            raise ConfigError(
                f"model: this one indexes the training data, at most {MAX_SYMBOLS:,} symbols, and these have "
                f"{size:,}; choose another model, or a part of the data"
            )
        pairs = None
        if complement is not None:
            # The last special code stands for the break, letter 0.
            pairs = encode_letters(complement)[len(SPECIALS) - 1 :]
        pieces = [encode_letters(corpus.codes[a:b]) for a, b in segments]
        stored = cls._empty(TrainingIndex.from_pieces(layout, pieces, pairs), len(corpus.codes), folder)
        stored._fill(corpus, segments)
        return stored

    @classmethod
    def _empty(cls, index: TrainingIndex, symbols: int, folder: Path) -> "StoredEvidence":
        layout, strands = index.layout, 1 if index.complement is None else 2
        files = tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        named = 1 if layout.dense else symbols
        return cls(
            index,
            np.memmap(files[0], np.int8, "w+", shape=(strands, symbols, layout.values)),
            np.memmap(files[1], np.uint8, "w+", shape=(strands, named, 2, layout.width)),
            files,
        )

    def of_window(self, window: Window) -> tuple[Tensor, Tensor]:
        """The evidence for each target of a window: values ``(batch, time, layout.values)`` and letters."""
        strands = window.backwards.astype(np.int64)[:, None]
        values = torch.from_numpy(self.values[strands, window.positions])
        if self.index.layout.dense:
            return values, torch.zeros(1, dtype=torch.uint8)
        return values, torch.from_numpy(self.letters[strands, window.positions])

    def close(self) -> None:
        """Close the files, and so delete them."""
        for file in self.files:
            file.close()

    def _fill(self, corpus: Corpus, segments: np.ndarray) -> None:
        held_out = corpus.subset_segments("validation")
        length = max(MIN_PIECE, int((held_out[:, 1] - held_out[:, 0]).mean()))
        pieces, intervals, at = [], [], 1
        for start, stop in segments:
            count = max(1, round((stop - start) / length))
            edges = np.linspace(start, stop, count + 1).astype(np.int64)
            pieces += itertools.pairwise(edges)
            intervals += [(at + low - start, at + high - start) for low, high in pieces[-count:]]
            at += stop - start + 1
        found = leave_one_out_evidence(self.index, np.array(intervals), torch.get_num_threads())
        with bar("Looking up", int((segments[:, 1] - segments[:, 0]).sum()), "symbol") as progress:
            for number, direction, values, letters in found:
                start, stop = pieces[number]
                where, strand = slice(start, stop), int(direction == -1)
                self.values[strand, where] = values[::direction]
                if not self.index.layout.dense:
                    self.letters[strand, where] = letters[::direction]
                progress.update((stop - start) * (direction == 1))
