"""Resident memory of a run on a genome far larger than what it may take: python -m benchmarks.memory

A made-up genome of 143 Mb, the size of the fly's, is read, split, learned for a while, validated, tested and
compared with Markov models; so is one of a hundredth of that. The difference is what size costs.
"""

import argparse
import json
import logging
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

log = logging.getLogger("benchmarks.memory")

LIMIT_MB = 1024
LINE = 80
CHILD = """
import resource, sys
sys.argv = ["pipeline", *sys.argv[1:]]
from pipeline.__main__ import main
try:
    main()
finally:
    sys.stderr.write(f"PEAK {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\\n")
"""


def write_genome(path: Path, bases: int, records: int = 7) -> None:
    """Random DNA in lines of 80 and a few records, every fourth stretch of a million bases soft-masked."""
    rng, each = np.random.default_rng(0), bases // records // LINE * LINE
    letters = np.frombuffer(b"ACGT\nacgt\n", np.uint8)
    with path.open("wb") as stream:
        for record in range(records):
            stream.write(b">chromosome_%d made up\n" % (record + 1))
            for part, at in enumerate(range(0, each, 12_500 * LINE)):
                lines = min(12_500, (each - at) // LINE)
                codes = np.full((lines, LINE + 1), 4, np.uint8)
                codes[:, :LINE] = rng.choice(4, (lines, LINE), p=(0.3, 0.2, 0.2, 0.3))
                stream.write(letters[codes + 5 * (part % 4 == 3)].tobytes())


def measure(bases: int, budget: str, folder: Path) -> dict[str, float]:
    """Megabytes and seconds of a run on a genome of this size, in a process of its own."""
    fasta = folder / f"{bases}.fa"
    write_genome(fasta, bases)
    command = [
        sys.executable, "-c", CHILD, "dataset=genome", f"dataset.path={fasta}", "model.hidden_size=64",
        "train.batch_size=32", "train.bptt_steps=64", f"budget={budget}", "stages=[ingest,train]",
        f"hydra.run.dir={folder / str(bases)}",
    ]  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    peak = int(re.findall(r"PEAK (\d+)", done.stderr)[-1]) / 1024
    metrics = (folder / str(bases) / "train" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    return {
        "megabases": bases / 1e6, "peak_mb": round(peak), "seconds": round(time.perf_counter() - started),
        "steps": int(metrics[-1].split(",")[1]) + 1,
    }  # fmt: skip


def main() -> None:
    """Measure a small and a large genome; the last line is JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bases", type=int, default=143_000_000)
    parser.add_argument("--budget", default="60s", help="training time of each run")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(n, arguments.budget, Path(folder)) for n in (arguments.bases // 100, arguments.bases)]
    log.info("%10s %10s %10s %10s", *rows[0])
    for row in rows:
        log.info("%10.1f %10d %10d %10d", *row.values())
    beyond = rows[1]["peak_mb"] - rows[0]["peak_mb"]
    log.info(
        "%s", json.dumps({"peak_mb": rows[1]["peak_mb"], "beyond_small_mb": beyond, "limit_mb": LIMIT_MB})
    )


if __name__ == "__main__":
    main()
