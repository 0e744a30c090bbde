"""How fast genomes are read, beside Biopython: python -m benchmarks.ingest [FILE ...]

Each way of reading runs in a process of its own, on one core where the system can bind it: the bytes alone
(the limit that disk or decompressor set), our letters and our records, Biopython's two readers; then the
whole stage `ingest`. Without files, a made-up genome of 150 Mb is read, plain and compressed, then one of a
third of it in contigs of 2 kb, and one that N breaks every four bases.
"""

import argparse
import gzip
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.memory import CHILD, write_genome

log = logging.getLogger("benchmarks.ingest")

READ = """
import resource, sys, time
from pathlib import Path
from pipeline.runtime import process
process.prepare()
import xopen
from Bio import SeqIO
from Bio.SeqIO.FastaIO import SimpleFastaParser
from pipeline.domains.genome.fasta import read_fasta
from pipeline.domains.genome.files import Letters, read_blocks
from pipeline.domains.genome.domain import Nucleotide

def text(path):
    return xopen.xopen(path, "rt", threads=int(path.suffix == ".gz"))

ways = {
    "bytes": lambda path: sum(len(block) for block in read_blocks(path)),
    "letters": lambda path: sum(len(part.bases) for part in read_fasta(path) if isinstance(part, Letters)),
    "records": lambda path: sum(len(getattr(item, "symbols", "")) for item in Nucleotide().read(path)),
    "SimpleFastaParser": lambda path: sum(len(letters) for _, letters in SimpleFastaParser(text(path))),
    "SeqIO": lambda path: sum(len(record) for record in SeqIO.parse(text(path), "fasta")),
}
way, path, small = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
ways[way](small)  # compiles, imports
best = float("inf")
for _ in range(int(sys.argv[4])):
    started = time.perf_counter()
    size = ways[way](path)
    best = min(best, time.perf_counter() - started)
print(size, best, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
WAYS = ("bytes", "letters", "records", "SimpleFastaParser", "SeqIO")


def bind_to_one_core() -> None:
    """This process, before it becomes the measured one."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def child(command: list[str]) -> subprocess.CompletedProcess:
    """A finished process on one core; SystemExit with what it said where it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=bind_to_one_core)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return done


def measure(path: Path, small: Path, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """For each way millions of bases of the file (of bytes, for the bytes alone) a second, the best, and peak
    memory."""
    rows, bases = {}, 0
    for way in WAYS:
        command = [sys.executable, "-c", READ, way, str(path), str(small), str(rounds)]
        size, seconds, peak = map(float, child(command).stdout.split())
        bases = size if way == "letters" else bases
        rows[way] = {"mb_per_s": round((bases or size) / seconds / 1e6), "peak_mb": round(peak)}
    run = folder / "run"
    command = ["dataset=genome", f"dataset.path='{path}'", "stages=[ingest]", f"hydra.run.dir='{run}'"]
    done = child([sys.executable, "-c", CHILD, *command])
    stage = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["stages"]["ingest"]
    peak = int(re.findall(r"PEAK (\d+)", done.stderr)[-1]) / 1024
    rows["ingest"] = {"mb_per_s": round(bases / stage["seconds"] / 1e6), "peak_mb": round(peak)}
    shutil.rmtree(run)
    return rows


def made_up(folder: Path, bases: int) -> list[Path]:
    """A genome of this size, plain and compressed; one of small contigs, and one broken by N."""
    plain = folder / "made_up.fa"
    write_genome(plain, bases)
    packed = folder / "made_up.fa.gz"
    with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 2**20)
    contigs, broken = folder / "contigs.fa", folder / "broken.fa"
    write_genome(contigs, bases // 3, records=bases // 3 // 2_000)
    write_genome(broken, 70_000)
    with broken.open("ab") as stream:
        stream.write(b">broken\n")
        for _ in range(bases // 3 // 80_000):
            stream.write((b"ACGTN" * 16 + b"\n") * 1_000)
    return [plain, packed, contigs, broken]


def main() -> None:
    """Measure each file; the last line is JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--bases", type=int, default=150_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder, started = Path(name), time.perf_counter()
        small = folder / "small.fa"
        write_genome(small, 70_000)
        for path in arguments.files or made_up(folder, arguments.bases):
            rows = results[path.name] = measure(path.absolute(), small, arguments.rounds, folder)
            log.info("%-22s %12s %10s", path.name[:22], "million/s", "peak MB")
            for way, row in rows.items():
                log.info("  %-20s %12d %10d", way, row["mb_per_s"], row["peak_mb"])
            against = rows["letters"]["mb_per_s"] / rows["SimpleFastaParser"]["mb_per_s"]
            log.info("  letters: %.1f times Biopython's SimpleFastaParser", against)
        log.info("%.0f s in all", time.perf_counter() - started)
    log.info("%s", json.dumps(results))


if __name__ == "__main__":
    main()
