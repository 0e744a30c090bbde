"""Time and memory of looking for copies of a whole genome: python -m benchmarks.originality

A hundred samples and three hundred sequences to stand beside them, of 500 bases each, are compared with a
made-up genome of 150 Mb (or with a FASTA file), on both strands. Forty bases of the genome are pasted into
one sample, and must be found where they came from. Reading the file is part of it.
"""

import argparse
import json
import logging
import re
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.memory import write_genome
from pipeline.domains.genome.domain import Nucleotide
from pipeline.records import Record, References
from pipeline.runtime import process

log = logging.getLogger("benchmarks.originality")

LENGTH, PLANTED_BP, AT = 500, 40, 200
GROUPS = {"samples": 100, "held-out real": 100, "Markov": 100, "shuffled": 100}


def random_records(count: int, seed: int) -> list[Record]:
    """Sequences of unrelated letters."""
    letters = np.random.default_rng(seed).choice(list("ACGT"), (count, LENGTH))
    return [Record(f"s{number}", "".join(row)) for number, row in enumerate(letters)]


def measure(fasta: Path, folder: Path) -> dict[str, float]:
    """Seconds of this process, and its peak in megabytes before and after."""
    domain = Nucleotide()
    first = next(each for each in domain.read(fasta) if isinstance(each, Record))
    place = len(first.symbols) // 2
    planted = str(first.symbols[place : place + PLANTED_BP])
    groups = {name: random_records(count, seed) for seed, (name, count) in enumerate(GROUPS.items())}
    samples = groups.pop("samples")
    text = str(samples[7].symbols)
    samples[7] = Record("planted", text[:AT] + planted + text[AT + PLANTED_BP :])
    expected = int(first.metadata["start"]) + place
    del first
    # What compiles or loads for the first time is no part of it.
    domain.audit(samples[:1], References({}, lambda: iter(samples[:1])), folder)
    before, started = _peak_mb(), time.process_time()
    training = (record for record in domain.read(fasta) if isinstance(record, Record))
    kept, _ = domain.audit(samples, References(groups, lambda: training), folder)
    found = kept[7].metadata.get("copied", "")
    start = int(re.findall(r":(\d+)-", found)[-1]) if found else 0
    # By chance a match may begin a few bases before what was planted.
    if not expected - 5 <= start <= expected:
        raise SystemExit(f"the planted bases from {expected} on were not found there, but at {found!r}")
    return {"cpu_s": time.process_time() - started, "peak_before_mb": before, "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure; the last line is JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bases", type=int, default=150_000_000)
    parser.add_argument("--fasta", type=Path, help="a file instead of the made-up genome")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    process.prepare()
    with tempfile.TemporaryDirectory() as name:
        folder, fasta = Path(name), arguments.fasta
        if fasta is None:
            fasta = folder / "genome.fa"
            write_genome(fasta, arguments.bases)
        row = measure(fasta, folder)
    log.info("%s", json.dumps({name: round(value, 1) for name, value in row.items()}))


if __name__ == "__main__":
    main()
