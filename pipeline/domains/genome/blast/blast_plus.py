"""BLAST+ as installed on PATH: `makeblastdb`, and `blastn` or `blastp`. The rows are what it prints."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pipeline.domains.genome.blast.backend import DATABASE, SearchSettings
from pipeline.domains.genome.blast.backend import Program as SearchProgram
from pipeline.domains.genome.blast.hits import COLUMNS, TEXT_COLUMNS, Hit, read_hits
from pipeline.errors import ToolError
from pipeline.runtime.programs import Program
from pipeline.runtime.supervise import CANNOT_RUN

MAX_MESSAGE_BYTES = 1 << 20
"""Largest output on the standard streams; a larger one means that the program has failed."""


class BlastPlus:
    """Searches by the programs of the BLAST+ package."""

    format = "BLAST+ 5"

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings

    @staticmethod
    def is_available(program: SearchProgram) -> bool:
        """Whether all programs needed are on PATH."""
        return all(shutil.which(name) for name in (program.name, "makeblastdb"))

    @property
    def name(self) -> str:
        """The program with its version, such as "BLAST+ 2.12.0"."""
        output = self._run([self.settings.program.name, "-version"], Path.cwd())
        version = output.split("\n")[0].split()[-1:]
        return " ".join(["BLAST+", *version]).rstrip("+")

    def build(self, subjects: Path, folder: Path) -> None:
        """Make a database named `DATABASE` in a folder, of a FASTA file.

        Raises ToolError where `makeblastdb` is missing, fails, makes nothing, or takes too long.
        """
        self._demand("makeblastdb")
        molecule = self.settings.program.molecule
        # From standard input, and into a short name: BLAST takes a space in a path for the end of a name.
        make = ["makeblastdb", "-in", "-", "-dbtype", molecule, "-title", "training", "-out", DATABASE]
        self._run(make, folder, subjects)
        if not list(folder.glob(f"{DATABASE}.{molecule[0]}sq")):
            raise ToolError(
                "the makeblastdb on PATH made no database; is it NCBI's? set blast.program=embedded"
            )

    def search(self, queries: Path, database: Path, folder: Path) -> Iterator[Hit]:
        """Yield the hits of all sequences of a FASTA file in a database, with their aligned texts.

        Raises ToolError where the program is missing, fails, prints no table, or takes too long.
        """
        wanted, table = self.settings, folder / "hits.tsv"
        self._demand(wanted.program.name)
        command = [
            wanted.program.name, "-task", wanted.task, "-query", str(queries.resolve()),
            "-db", _quoted(database.name), "-out", str(table.resolve()),
            "-outfmt", " ".join(["6", *COLUMNS, *TEXT_COLUMNS]),
            "-evalue", str(wanted.evalue), "-max_target_seqs", str(wanted.max_hits),
            wanted.program.filter_option, "yes" if wanted.masked else "no",
            "-num_threads", str(os.cpu_count() or 1),
        ]  # fmt: skip
        if wanted.word_size is not None:
            command += ["-word_size", str(wanted.word_size)]
        self._run(command, database.parent)
        if not table.exists():
            raise ToolError(
                f"the {wanted.program.name} on PATH wrote no table; is it NCBI's? set blast.program=embedded"
            )
        yield from read_hits(table)

    @staticmethod
    def _demand(program: str) -> None:
        if not shutil.which(program):
            raise ToolError(
                f"{program} is not on PATH; install BLAST+ (Debian: ncbi-blast+), "
                "or set blast.program=embedded"
            )

    def _run(self, command: Sequence[str], folder: Path, source: Path = Path(os.devnull)) -> str:
        """Run a program and return its standard output; on a timeout its child processes end too."""
        with (
            tempfile.TemporaryFile() as output,
            tempfile.TemporaryFile() as errors,
            source.open("rb") as stdin,
        ):
            with Program(
                command, cwd=folder, stdin=stdin, stdout=output, stderr=errors,
                # BLAST+ otherwise reads a settings file of the user's, and may call home.
                env={**os.environ, "BLAST_USAGE_REPORT": "0", "NCBI_DONT_USE_LOCAL_CONFIG": "1"},
            ) as program:  # fmt: skip
                self._await(program.process, command[0], (output.fileno(), errors.fileno()))
            status, why = program.process.returncode, _last_line(errors)
            if status == CANNOT_RUN:
                raise ToolError(f"{command[0]} {why}; set blast.program=embedded")
            if status != 0:
                raise ToolError(
                    f"{command[0]} ended with status {status}: {why}; "
                    "set blast.program=embedded or blast=none to do without it"
                )
            output.seek(0)
            return output.read().decode(errors="replace")

    def _await(self, process: subprocess.Popen, program: str, outputs: Sequence[int]) -> None:
        deadline = time.monotonic() + self.settings.timeout_s
        while True:
            try:
                process.wait(min(0.5, max(deadline - time.monotonic(), 0)))
                return
            except subprocess.TimeoutExpired:
                if any(os.fstat(each).st_size > MAX_MESSAGE_BYTES for each in outputs):
                    raise ToolError(
                        f"{program} printed more than {MAX_MESSAGE_BYTES:,} bytes and was ended; "
                        "is it NCBI's? set blast.program=embedded"
                    ) from None
                if time.monotonic() >= deadline:
                    raise ToolError(
                        f"{program} did not finish within {self.settings.timeout_s:g} s and was ended; "
                        "set a larger blast.timeout_s, a smaller sample.count, or blast=none"
                    ) from None


def _quoted(name: str) -> str:
    """BLAST takes several names with spaces between them for ``-db``."""
    return f'"{name}"' if " " in name else name


def _last_line(stream: IO[bytes]) -> str:
    stream.seek(0, os.SEEK_END)
    stream.seek(max(stream.tell() - 2000, 0))
    lines = stream.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no message"
