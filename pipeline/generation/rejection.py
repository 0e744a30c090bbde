"""Rejection sampling for constraints: draws by the grammar alone that are kept if they keep the constraints.

Masking by the constraints too would continue prefixes to which the model gives little probability.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.generation.block_sampler import BlockSampler, RejectedDraws
from pipeline.generation.compiled_sampling import ExportedWeights, draw_compiled
from pipeline.generation.request import EncodedRequest
from pipeline.records import Sample

MAX_REJECTIONS = 30
"""Draws of a sequence by the grammar alone. `Request.max_resamples` + 1 draws by the grammar and the
constraints follow; then the sequence is refused, so that all draws of a sequence are bounded."""
MIN_KEPT_SHARE = 0.1
"""Where a smaller share of the first draws keeps the constraints, one sequence is drawn to its end before
all others: an impossible constraint is then refused soon."""


@dataclass
class RejectionSampler:
    """Draws the samples of one block by the grammar alone until they keep the constraints.

    A row keeps its first good draw: the number of rows that are drawn together changes no sample.
    """

    exported: ExportedWeights
    encoded: EncodedRequest
    indices: range
    threads: int
    blocks: BlockSampler
    rows_at_once: int
    kept: dict[int, Sample] = field(default_factory=dict)
    draws: int = 0
    good_draws: int = 0

    def draw(self) -> dict[int, Sample]:
        """The kept samples by row; rows without a good draw are absent.

        Raises ConfigError where few draws keep the constraints and the first row without a sample gets none
        by the block sampler either.
        """
        self._attempt(range(len(self.indices)), range(1))
        missing = self._missing()
        if missing and self.good_draws < MIN_KEPT_SHARE * self.draws:
            self._finish_row(missing[0])
        attempt = 1
        while attempt < MAX_REJECTIONS and (missing := self._missing()):
            # As many draws at a time as in a whole block.
            several = min(max(1, self.rows_at_once // len(missing)), MAX_REJECTIONS - attempt)
            self._attempt(missing, range(attempt, attempt + several))
            attempt += several
        self.blocks.rejected = RejectedDraws(MAX_REJECTIONS, self.draws, self.good_draws)
        return self.kept

    def _finish_row(self, row: int) -> None:
        self._attempt([row], range(1, MAX_REJECTIONS))
        if row not in self.kept:
            self.blocks.rejected = RejectedDraws(MAX_REJECTIONS, self.draws, self.good_draws)
            self.kept[row] = self.blocks.draw_rows(self.indices, [row])[row]

    def _missing(self) -> list[int]:
        return [row for row in range(len(self.indices)) if row not in self.kept]

    def _attempt(self, rows: Sequence[int], attempts: range) -> None:
        """Draw these rows once for each of the attempts."""
        encoded, given = self.encoded, [(row, attempt) for attempt in attempts for row in rows]
        # Other indices have other random numbers, and the same primes and lead-ins.
        step = len(encoded.primes) * len(encoded.leads) << 32
        numbers = [self.indices[row] + attempt * step for row, attempt in given]
        unconstrained = replace(encoded, request=replace(encoded.request, processor=None))
        drawn = draw_compiled(self.exported, unconstrained, numbers, self.threads)
        for (row, _), sample in zip(given, drawn, strict=True):
            good = sample.ended and self.blocks.find_violation(sample) is None
            self.draws, self.good_draws = self.draws + 1, self.good_draws + good
            if good and row not in self.kept:
                self.kept[row] = replace(sample, index=self.indices[row])
