"""The third stage: a checkpoint to raw sequences, `samples.jsonl`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pipeline.alphabet import Alphabet
from pipeline.checkpoint import load
from pipeline.config import SampleSettings
from pipeline.domain import Domain, Exhibit, Symbols
from pipeline.errors import ConfigError
from pipeline.progress import track
from pipeline.sampling.engine import Request, draw
from pipeline.stages import StageResult

SHOWN = 3


def sample(
    checkpoint: Path, domain: Domain, settings: SampleSettings, seed: int, out_dir: Path
) -> StageResult:
    """Draw `settings.count` sequences and write one JSON line each, in the order of their indices.

    Raises ConfigError where the prime has a symbol that the model does not know, or leaves no room.
    """
    loaded = load(checkpoint)
    prime = prime_of(domain, settings, loaded.alphabet)
    request = Request(
        settings.count, settings.length, seed, prime, domain.open_ended,
        settings.temperature, settings.top_k, settings.top_p,
    )  # fmt: skip
    started, symbols, samples = time.perf_counter(), 0, []
    drawn = draw(loaded.model, loaded.alphabet, request)
    with (out_dir / "samples.jsonl").open("w", encoding="utf-8") as stream, _one_thread():
        for each in track(drawn, "Sampling", settings.count, "sequence"):
            stream.write(each.to_json() + "\n")
            symbols += len(each.symbols)
            samples = [*samples, each][:SHOWN]
    speed = symbols / (time.perf_counter() - started)
    shown = out_dir / "first_samples.txt"
    shown.write_text("\n\n".join("".join(each.symbols) for each in samples) + "\n", encoding="utf-8")
    unit = domain.symbol_name
    line = f"{settings.count} sequences of {symbols:,} {unit}s in all, at {speed:,.0f} {unit}s a second"
    return StageResult(
        kept={"samples": settings.count, "symbols": symbols},
        summary=(line,),
        figures={"symbols_per_second": round(speed)},
        exhibits=(Exhibit("As the model wrote them", (shown,), f"The first {len(samples)}, unchanged."),),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """More threads gain nothing on one step of a small model, and would change the rounding."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prime_of(domain: Domain, settings: SampleSettings, alphabet: Alphabet | None = None) -> Symbols:
    """The symbols that every sample starts with; ConfigError where they are not of the domain's grammar, not
    in `alphabet`, where one is given, or leave no room for more."""
    prime = domain.parse_prime(settings.prime) if settings.prime else ""
    for position, symbol in enumerate(prime, start=1):
        if alphabet is not None and symbol not in alphabet:
            raise ConfigError(
                f"sample.prime: symbol {symbol!r} at position {position} is not among what the model learns, "
                f"{alphabet}; leave it out or replace it"
            )
    if len(prime) >= settings.length:
        raise ConfigError(
            f"sample.prime has {len(prime)} symbols and sample.length={settings.length} leaves no room for "
            "more; raise sample.length"
        )
    return prime
