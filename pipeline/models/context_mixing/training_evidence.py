"""The evidence of a whole training split, made once before training: each piece as if it were new."""

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
from pipeline.models.context_mixing.evidence_layout import Layout
from pipeline.models.context_mixing.training_index import Library, letters_of, read_left_out
from pipeline.runtime.progress import bar

MAX_SYMBOLS = 2**25
"""Of more, the evidence would fill the disk, and the index the memory."""
MIN_PIECE = 1_000


@dataclass(frozen=True)
class Study:
    """`values` ``(strands, symbols of the corpus, layout.values)`` and `letters` ``(…, 2, layout.width)``:
    the evidence for the symbol at each position, in `files` that are read as they are needed. They have no
    names, so that none is left behind however a training ends."""

    library: Library
    values: np.ndarray
    letters: np.ndarray
    files: tuple[IO[bytes], IO[bytes]]

    @classmethod
    def of(cls, layout: Layout, corpus: Corpus, complement: np.ndarray | None, folder: Path) -> "Study":
        """Read the training split of `corpus`, piece by piece, each left out of the text it is looked up in.

        Pieces are as long as what is held out, so that they find as much as new sequences will. `complement`
        is code to code. Raises ConfigError where the split is too large.
        """
        segments = corpus.subset_segments("train")
        size = corpus.subset_size("train")
        if size > MAX_SYMBOLS:
            raise ConfigError(
                f"model: this one looks things up in the training data; {size:,} symbols are more than "
                f"the {MAX_SYMBOLS:,} that it can; choose another model, or a part of the data"
            )
        pairs = None
        if complement is not None:
            # The last special code stands for the break, letter 0.
            pairs = letters_of(complement)[len(SPECIALS) - 1 :]
        library = Library.of(layout, [letters_of(corpus.codes[a:b]) for a, b in segments], pairs)
        study = cls._empty(library, len(corpus.codes), folder)
        study._fill(corpus, segments)
        return study

    @classmethod
    def _empty(cls, library: Library, symbols: int, folder: Path) -> "Study":
        layout, strands = library.layout, 1 if library.complement is None else 2
        files = tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        named = 1 if layout.dense else symbols
        return cls(
            library,
            np.memmap(files[0], np.int8, "w+", shape=(strands, symbols, layout.values)),
            np.memmap(files[1], np.uint8, "w+", shape=(strands, named, 2, layout.width)),
            files,
        )

    def of_window(self, window: Window) -> tuple[Tensor, Tensor]:
        """The evidence for each target of a window: values ``(batch, time, layout.values)`` and letters."""
        strands = window.backwards.astype(np.int64)[:, None]
        values = torch.from_numpy(self.values[strands, window.positions])
        if self.library.layout.dense:
            return values, torch.zeros(1, dtype=torch.uint8)
        return values, torch.from_numpy(self.letters[strands, window.positions])

    def close(self) -> None:
        """Let go of the files."""
        for file in self.files:
            file.close()

    def _fill(self, corpus: Corpus, segments: np.ndarray) -> None:
        held_out = corpus.subset_segments("validation")
        length = max(MIN_PIECE, int((held_out[:, 1] - held_out[:, 0]).mean()))
        pieces, places, at = [], [], 1
        for start, stop in segments:
            count = max(1, round((stop - start) / length))
            edges = np.linspace(start, stop, count + 1).astype(np.int64)
            pieces += itertools.pairwise(edges)
            places += [(at + low - start, at + high - start) for low, high in pieces[-count:]]
            at += stop - start + 1
        found = read_left_out(self.library, np.array(places), torch.get_num_threads())
        with bar("Looking up", int((segments[:, 1] - segments[:, 0]).sum()), "symbol") as progress:
            for number, direction, values, letters in found:
                start, stop = pieces[number]
                where, strand = slice(start, stop), int(direction == -1)
                self.values[strand, where] = values[::direction]
                if not self.library.layout.dense:
                    self.letters[strand, where] = letters[::direction]
                progress.update((stop - start) * (direction == 1))
