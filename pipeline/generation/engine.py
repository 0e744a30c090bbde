"""Draws many sequences from a model at once and carries the state from symbol to symbol.

A sequence depends on the checkpoint, the settings, the seed and its own index, and on nothing else: its
random numbers come from a counter-based generator keyed by seed and index. Compiled code draws from a model
that has a compiled decode step, on the CPU. Every other model runs on blocks of exactly `BLOCK` rows, or
`GPU_BLOCK` on a GPU, because the rounding of a matrix product depends on its shape.

A sample without a prime may start after a lead-in (`Request.lead`): symbols that the model draws first and
that belong to no sample. The sample then starts from a state within a sequence instead of the empty state.
"""

from collections.abc import Iterator

import numpy as np
import torch

from pipeline.data.alphabet import Alphabet
from pipeline.generation.block_sampler import BlockSampler
from pipeline.generation.compiled_sampling import (
    ExportedWeights,
    draw_compiled,
    export_weights,
    load_decode_step,
)
from pipeline.generation.rejection import RejectionSampler
from pipeline.generation.request import EncodedRequest, Request, encode_primes
from pipeline.models.model import Model
from pipeline.models.state import resolve_device
from pipeline.records import Sample

BLOCK, GPU_BLOCK = 64, 1024
MAX_LEADS = 64
"""Lead-ins that are drawn at most: sample i starts after number i modulo their count."""
LEAD_SEED = 0x9E3779B97F4A7C15
"""Combined with the seed by exclusive or, so that lead-ins and samples have different random numbers."""
THREADS = torch.get_num_threads()
"""The number of threads that torch has at first."""


@torch.inference_mode()
def draw(
    model: Model, alphabet: Alphabet, request: Request, first: int = 0, threads: int = THREADS
) -> Iterator[Sample]:
    """Yield samples in the order of their indices, some at a time.

    Parameters
    ----------
    model
        The model, on the device that draws.
    alphabet
        The symbols of the model.
    request
        What to draw.
    first
        The index of the first sample; it changes no sample.
    threads
        Threads of compiled code; their number changes no sample.

    Yields
    ------
    Sample
        The samples from number `first` on.

    Raises
    ------
    ConfigError
        A sample cannot keep the constraints.
    """
    encoded = EncodedRequest(
        request, alphabet, encode_primes(request, alphabet), draw_leads(model, alphabet, request, threads)
    )
    exported = export_weights(model, request.int8)
    blocks = _build_block_sampler(model, exported, encoded)
    if not encoded.fits_primes:
        exported = None
    if exported is not None and request.processor is None and request.typical_p is None:
        yield from draw_compiled(exported, encoded, range(first, request.count), threads)
        return
    size = blocks.size
    for start in range(first - first % size, request.count, size):
        indices = range(start, min(start + size, request.count))
        kept = {}
        if exported is not None and request.allows_rejection:
            kept = RejectionSampler(exported, encoded, indices, threads, blocks, BLOCK).draw()
        for sample in blocks.draw(indices, kept):
            if sample.index >= first:
                yield sample


def _build_block_sampler(
    model: Model, exported: ExportedWeights | None, encoded: EncodedRequest
) -> BlockSampler:
    device = resolve_device(model)
    length = 1 + encoded.leads.shape[1] + encoded.request.length
    step = model if exported is None else load_decode_step(exported, length)
    return BlockSampler(step, encoded, BLOCK if device.type == "cpu" else GPU_BLOCK, device)


def draw_leads(model: Model, alphabet: Alphabet, request: Request, threads: int = THREADS) -> np.ndarray:
    """The lead-ins of a request as codes ``(lead-ins, symbols)``; ``(1, 0)`` where it has none.

    They are drawn at temperature 1 and without constraints: the settings of a request hold for its samples.
    Each lead-in depends on the model, the seed and its own number only.
    """
    if not request.lead_length:
        return np.zeros((1, 0), np.int64)
    plain = Request(
        min(request.count, MAX_LEADS), request.lead_length, (request.seed ^ LEAD_SEED) & (2**64 - 1),
        open_ended=True, int8=request.int8,
    )  # fmt: skip
    drawn = (alphabet.encode(each.symbols) for each in draw(model, alphabet, plain, threads=threads))
    return np.stack(list(drawn)).astype(np.int64)
