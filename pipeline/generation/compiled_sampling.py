"""From requests to compiled code, which is loaded only where a model has a compiled decode step."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.data.alphabet import BOS
from pipeline.generation.request import EncodedRequest
from pipeline.models.model import Model
from pipeline.models.state import resolve_device
from pipeline.records import Sample

if TYPE_CHECKING:
    from pipeline.generation.compiled.decode_step import ExportedWeights
else:
    ExportedWeights = object


def export_weights(model: Model, int8: bool = False) -> "ExportedWeights | None":
    """The model's weights for compiled code.

    None where it has no compiled decode step, or does not lie on the CPU in single precision.
    """
    weight = next(model.parameters(), torch.zeros(0))
    suits = resolve_device(model).type == "cpu" and weight.dtype == torch.float32
    if model.decode_step is None or not suits:
        return None
    # Loading numba takes half a second.
    from pipeline.generation.compiled.export import export_model

    return export_model(model, int8)


def load_decode_step(exported: "ExportedWeights", length: int) -> Callable:
    """The compiled step in place of a model's `forward`, for sequences of at most `length` codes."""
    # Loading numba takes half a second.
    from pipeline.generation.compiled.sampler import DecodeStep

    return DecodeStep(exported, length)


def draw_compiled(
    exported: "ExportedWeights", encoded: EncodedRequest, indices: Sequence[int], threads: int
) -> Iterator[Sample]:
    """Draw the samples with these indices, in their order, by the grammar but without other processors."""
    # Loading numba takes half a second.
    from pipeline.generation.compiled import sampler, token_choice

    request, leads = encoded.request, encoded.leads
    if leads.shape[1]:
        starts = sampler.start_after_leads(exported, leads, request.length, request.grammar)
    else:
        steps = [request.length - len(prime) for prime in encoded.primes]
        given = [np.concatenate([[BOS], prime]) for prime in encoded.primes]
        starts = sampler.start_after_primes(exported, given, steps, request.grammar)
    params = token_choice.compile_sampling_params(
        request.sampling_params(), len(encoded.alphabet), request.max_resamples, request.grammar
    )
    job = sampler.SamplingJob(exported, starts, params, request.seed, request.grammar)
    for index, codes, nats in sampler.draw(job, indices, threads):
        yield encoded.build_sample(np.concatenate([encoded.prime(index), codes]), nats, index)
