"""The three canonical tasks of `benchmarks.quality`: their data, their split, how the pipeline is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import music21

from pipeline.domain import Domain
from pipeline.domains.genome.domain import Nucleotide
from pipeline.domains.text import Text

HELD_OUT_TUNES = 0.05
CHOOSING, CHOSEN_BLOCKS = 20_000, 16
"""Characters, in blocks spread over the first nine tenths, that choose the checkpoint, so that the last tenth
is only measured."""
BOOKS = ("ryansMammoth", "oneills1850")
KEPT = "MKL"


@dataclass(frozen=True)
class Task:
    """`prepare` writes what is needed to a folder, given that of the shared data, and says which settings of
    the pipeline read it; `published` are figures of others for the same data, in bits per symbol."""

    about: str
    prepare: Callable[[Path, Path], list[str]]
    domain: Domain
    settings: tuple[str, ...]
    minutes: float = 10.0
    published: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)


def fly4(data: Path, folder: Path) -> list[str]:
    """Chromosome 4 of the fly, the split in twenty held-out blocks that lies beside it."""
    source = data / "fly_chr4_dm3"
    return [
        "dataset=genome", "blast=none", f"dataset.path={source / 'dm3_chr4.fa.gz'}",
        f"dataset.split.file={source / 'split.tsv'}",
    ]  # fmt: skip


def folk(data: Path, folder: Path) -> list[str]:
    """Ryan's and O'Neill's books inside music21: notes and the fields M:, K: and L:, one tune a record."""
    books = Path(music21.__file__).parent / "corpus"
    tunes: list[list[str]] = []
    for path in [path for book in BOOKS for path in sorted((books / book).glob("*.abc"))]:
        tunes.append([])  # what stands before the first number belongs to no tune
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            line = line.rstrip()
            if line.startswith("X:"):
                tunes.append([])
            elif line and line[0] != "%" and (line[1:2] != ":" or line[0] in KEPT):
                tunes[-1].append(line)
    file = folder / "folk.txt"
    file.write_text("\n\n".join("\n".join(tune) for tune in tunes if len(tune) > 1) + "\n", encoding="utf-8")
    return [
        "dataset=text", f"dataset.path={file}", "domain.records=paragraph",
        f"dataset.split.test={HELD_OUT_TUNES}", "dataset.split.validation=0.02", "dataset.split.by=records",
    ]  # fmt: skip


def tinyshakespeare(data: Path, folder: Path) -> list[str]:
    """The last tenth is the test; blocks of the other nine choose the checkpoint."""
    file = data / "tinyshakespeare" / "input.txt"
    size = len(file.read_text(encoding="utf-8").rstrip("\n"))
    tenth = size * 9 // 10
    split = folder / "split.tsv"
    each = CHOOSING // CHOSEN_BLOCKS
    rows = [f"{tenth}\t{size}\ttest\n"]
    for block in range(CHOSEN_BLOCKS):
        start = tenth * (2 * block + 1) // (2 * CHOSEN_BLOCKS)
        rows.append(f"{start}\t{start + each}\tvalidation\n")
    split.write_text("".join(rows), encoding="utf-8")
    return ["dataset=text", f"dataset.path={file}", "domain.records=file", f"dataset.split.file={split}"]


TASKS = {
    "fly4": Task(
        "bits per base of D. melanogaster chromosome 4 (dm3)", fly4, Nucleotide(),
        ("model=mixture", "model.hidden_size=96", "model.dropout=0.1", "train.batch_size=32"),
        published={
            "GeCo3 -l 16, goes on learning": (1.631, 1.915, 1.203),
            "context mixing, orders 1-24, frozen": (1.727, 1.991, 1.330),
            "GeCo3 and an LSTM 2x96, one adaptive weight": (1.624, 1.908, 1.194),
        },
    ),
    "folk": Task(
        "bits per character of tunes in ABC (Ryan's and O'Neill's)", folk, Text(),
        (
            "model=mixture", "model.cell=gru", "model.hidden_size=256", "model.dropout=0.1",
            "model.copy_after=8", "model.repeat_after=5", "train.batch_size=16",
        ),
        published={
            "Kneser-Ney, order 12": (2.205,), "context mixing, frozen": (2.061,),
            "context mixing, goes on learning": (1.788,), "GRU 2x256, 8 minutes of one core": (1.651,),
        },
    ),
    "tinyshakespeare": Task(
        "bits per character of tinyshakespeare, the last tenth", tinyshakespeare, Text(records="file"),
        ("model=gru", "model.hidden_size=256", "model.dropout=0.2", "train.batch_size=32"), minutes=3.0,
        published={"nanoGPT's recipe for a CPU, 3 minutes": (2.712,), "nanoGPT on an A100": (2.120,)},
    ),
}  # fmt: skip
