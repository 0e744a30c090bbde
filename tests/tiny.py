"""Runs so small that they take a second: data, settings, and how to start them."""

import json
import random
import subprocess
import sys
from pathlib import Path

from hydra import compose, initialize_config_dir

from pipeline.config.composition import register_schema
from pipeline.domains.music.midi_files import write_midi
from pipeline.domains.music.piece import NoteEvent, Piece, Tempo
from pipeline.runtime.folders import resource_folder

TINY = (
    "model.hidden_size=8", "model.num_layers=1", "train.max_epochs=1",
    "train.batch_size=8", "train.bptt_steps=16", "sample.count=3", "sample.length=40",
)  # fmt: skip
"""Overrides that make any run end in about a second."""

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real data beside the checkout; what needs it is skipped where it is missing."""

WORDS = ("the reel", "a jig", "of Kerry", "and air", "slow", "hornpipe, not", "waltz")


def compose_config(*overrides: str):
    """The configuration of a command line."""
    register_schema()
    with initialize_config_dir(str(resource_folder("conf")), version_base="1.3"):
        return compose("config", list(overrides))


def run_pipeline(folder: Path, *overrides: str, sweep: Path | None = None) -> dict:
    """One run in this process; what its manifest says afterwards."""
    from pipeline.run import run

    run(compose_config(*overrides), folder, list(overrides), sweep)
    return load_manifest(folder)


def load_manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def command_line(*arguments: str, cwd: Path, **kwargs) -> subprocess.CompletedProcess:
    """``python -m pipeline`` in a process of its own."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    options = {"capture_output": True, "text": True, "timeout": 120, "cwd": cwd, **kwargs}
    return subprocess.run(command, check=False, **options)


def on(text_file: Path, *more: str) -> tuple[str, ...]:
    """Arguments of a tiny run on this file, and more."""
    return "dataset=text", f"dataset.path='{text_file}'", *TINY, *more


def errors(answer) -> str:
    """The one message of a command that failed."""
    assert answer.status == 1
    assert answer.err.count("error: ") == 1
    return answer.err


def some_text(records: int = 120, seed: int = 1) -> str:
    """Different paragraphs of about fifty characters."""
    rng = random.Random(seed)
    return "\n\n".join(" ".join(rng.choices(WORDS, k=6)) + f" {n}" for n in range(records)) + "\n"


def some_dna(bases: int = 12_000, seed: int = 1) -> str:
    """Random DNA in lines of 60, a third of it soft-masked."""
    rng = random.Random(seed)
    sequence = "".join(rng.choices("ACGT", (3, 2, 2, 3), k=bases))
    third = bases // 3
    sequence = sequence[:third] + sequence[third : 2 * third].lower() + sequence[2 * third :]
    return "".join(sequence[at : at + 60] + "\n" for at in range(0, bases, 60))


def some_proteins(count: int = 60, seed: int = 1) -> str:
    """Random proteins of 30 to 80 residues as FASTA, which begin with methionine."""
    rng = random.Random(seed)
    texts = ["M" + "".join(rng.choices("ACDEFGHIKLMNPQRSTVWY", k=rng.randint(29, 79))) for _ in range(count)]
    return "".join(f">protein_{n}\n{text}\n" for n, text in enumerate(texts, start=1))


def some_tunes(count: int = 60, seed: int = 1) -> str:
    """Valid reels of eight bars, no two alike."""
    rng = random.Random(seed)
    bars = [["".join(rng.choices("CDEFGABcde", k=8)) for _ in range(8)] for _ in range(count)]
    heads = [f"X:{n}\nT:Reel {n}\nM:4/4\nL:1/8\nK:G\n" for n in range(1, count + 1)]
    return "\n".join(head + "|".join(tune) + "|]\n" for head, tune in zip(heads, bars, strict=True))


def some_chorales(count: int = 60, seed: int = 1) -> str:
    """Four voices for eight beats, each a quarter, no two alike."""
    rng = random.Random(seed)
    beats = [["67,62,58,43", "67,64,60,48", "69,62,57,50", "66,62,57,50"] for _ in range(count)]
    quarters = [[f"{chord}{3 * ' _,_,_,_'}" for chord in rng.choices(four, k=8)] for four in beats]
    lines = map(" ".join, quarters)
    return "\n".join(f"# chorale {number}\n{line}\n" for number, line in enumerate(lines, start=1))


def some_pieces(count: int = 60, seed: int = 1) -> str:
    """Lines of chords and single notes, none of them alike."""
    rng = random.Random(seed)
    words = ["48 60 64 67", "72", "74", "76", "43 59 62 67", "71", "45 60 64 69"]
    return "".join(" ".join(rng.choices(words, k=12)) + "\n" for _ in range(count))


def some_performance(notes: int = 300, seed: int = 1) -> bytes:
    """A MIDI file: two notes or three at a time, none twice, each with a loudness and a length of its own."""
    rng = random.Random(seed)
    chords = [(60 * beat + rng.randrange(9), rng.sample(range(40, 80), rng.choice((2, 3))))
              for beat in range(notes * 2 // 5)]  # fmt: skip
    events = [NoteEvent(onset, pitch, rng.randrange(40, 200), rng.randrange(30, 110))
              for onset, pitches in chords for pitch in pitches]  # fmt: skip
    return write_midi(Piece(tuple(sorted(events)), 120, tempos=(Tempo(0, 450_000),)))
