"""BLAST+ as installed on PATH: `makeblastdb` and `blastn`. The rows are what it prints."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import ToolError
from pipeline.genome.hits import Hit, read_hits
from pipeline.genome.search import SearchSettings

PROGRAMS = ("blastn", "makeblastdb")


class BlastPlus:
    """Searches by the programs of the BLAST+ package."""

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings

    @staticmethod
    def is_available() -> bool:
        """Whether all programs needed are on PATH."""
        return all(shutil.which(program) for program in PROGRAMS)

    @property
    def name(self) -> str:
        """The program with its version, such as "BLAST+ 2.12.0"."""
        version = self._run(["blastn", "-version"], Path.cwd()).split("\n")[0].split()[-1:]
        return " ".join(["BLAST+", *version]).rstrip("+")

    def search(self, queries: Path, subjects: Path, folder: Path) -> Iterator[Hit]:
        """Yield the hits of all sequences of one FASTA file in those of another; `folder` takes the rest.

        Raises ToolError where a program is missing, fails, prints no table, or takes too long.
        """
        if not self.is_available():
            raise ToolError(
                f"{' and '.join(PROGRAMS)} are not both on PATH; install BLAST+ (Debian: ncbi-blast+), "
                "or set blast.program=embedded"
            )
        # Short names, seen from the folder: BLAST takes a space in a path for the end of a name.
        source = os.path.relpath(subjects, folder)
        make = ["makeblastdb", "-in", source, "-dbtype", "nucl", "-title", "training", "-out", "db"]
        self._run(make, folder)
        wanted = self.settings
        command = [
            "blastn", "-task", wanted.task, "-query", str(queries.resolve()), "-db", "db", "-outfmt", "6",
            "-out", "hits.tsv", "-evalue", str(wanted.evalue), "-max_target_seqs", str(wanted.max_hits),
            "-dust", "yes" if wanted.dust else "no", "-num_threads", str(os.cpu_count() or 1),
        ]  # fmt: skip
        if wanted.word_size is not None:
            command += ["-word_size", str(wanted.word_size)]
        self._run(command, folder)
        if not (folder / "hits.tsv").exists():
            raise ToolError("the blastn on PATH wrote no table; is it NCBI's? set blast.program=embedded")
        yield from read_hits(folder / "hits.tsv")

    def _run(self, command: list[str], folder: Path) -> str:
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, errors="replace", check=False,
                stdin=subprocess.DEVNULL, timeout=self.settings.timeout_s,
                # BLAST+ otherwise reads a settings file of the user's, and may call home.
                env={**os.environ, "BLAST_USAGE_REPORT": "0", "NCBI_DONT_USE_LOCAL_CONFIG": "1"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ToolError(
                f"{command[0]} was not done after {self.settings.timeout_s:g} s and was ended; "
                "set a larger blast.timeout_s, a smaller sample.count, or blast=none"
            ) from None
        except OSError as error:
            raise ToolError(f"{command[0]} cannot be run ({error}); set blast.program=embedded") from error
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise ToolError(
                f"{command[0]} ended with status {done.returncode}: {said[0][:300]}; "
                "set blast.program=embedded or blast=none to do without it"
            )
        return done.stdout
