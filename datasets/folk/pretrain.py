"""Make `pretrained.ckpt`, the checkpoint of ``dataset=folk checkpoint=pretrained``.

Run ``python datasets/folk/pretrain.py`` from the project's folder: some minutes on a GPU, hours without one.
The model learns the tunes in many keys first, then as they stand in the books; then the same with a look-back
added. The README beside this file gives its figures.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from pipeline.data.corpus import SUBSETS, Corpus
from pipeline.models.checkpoint import write_small

RUNS = Path("outputs/folk")
ALL = ("dataset=folk", "stages=[ingest,train]", "train.bptt_steps=128")
IN_MANY_KEYS, AS_THEY_STAND = "domain.transpose=5", "domain.transpose=0"
TRAININGS = {
    "in_many_keys": (
        IN_MANY_KEYS, "model=lstm", "model.hidden_size=288", "model.dropout=0.4", "model.lookback=false",
        "train.batch_size=128", "train.lr=0.004", "train.ema_decay=0.998", "budget=4m",
    ),
    "as_they_stand": (
        AS_THEY_STAND, "train.max_epochs=4", "train.batch_size=32", "train.lr=0.0004", "train.ema_decay=0.99",
    ),
    "looking_back_in_many_keys": (
        IN_MANY_KEYS, "model.lookback=true", "train.batch_size=32", "train.lr=0.002", "train.ema_decay=0.998",
        "budget=82m",
    ),
    "looking_back_as_they_stand": (
        AS_THEY_STAND, "train.max_epochs=4", "train.batch_size=32", "train.lr=0.0004", "train.ema_decay=0.99",
    ),
}  # fmt: skip
"""Each begins with what the one before has learned."""


def main() -> None:
    """Train, write the weights in half precision beside this script, and print their sha256."""
    start: tuple[str, ...] = ()
    for name, settings in TRAININGS.items():
        best = train(name, *settings, *start)
        start = (f"train.init_from={best}",)
    target = Path(__file__).with_name("pretrained.ckpt")
    write_small(best, target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{target}: {target.stat().st_size:,} bytes, sha256 {digest}")
    list_held_out(RUNS / name / "ingest", target.with_name("held_out.json"))


def list_held_out(ingested: Path, target: Path) -> None:
    """Write which tunes the model has not learned, with the digest of the test split that it states."""
    corpus = Corpus.open(ingested)
    content: dict[str, object] = {"held_out": corpus.digest("test")}
    for kind, subset in enumerate(SUBSETS[1:], start=1):
        numbers = corpus.segments[corpus.segments[:, 2] == kind, 3]
        content[subset] = [corpus.record_ids[number] for number in numbers]
    target.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


def train(name: str, *settings: str) -> Path:
    """The best checkpoint of one training."""
    command = [sys.executable, "-m", "pipeline", *ALL, *settings, f"hydra.run.dir={RUNS / name}"]
    subprocess.run(command, check=True)
    return RUNS / name / "train" / "best.ckpt"


if __name__ == "__main__":
    main()
