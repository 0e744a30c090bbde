"""Make `pretrained.ckpt`, the checkpoint of ``dataset=folk checkpoint=pretrained``.

Run ``python datasets/folk/pretrain.py`` from the project's folder: some minutes on a GPU, hours without one.
The model learns the tunes in many keys first, then as they stand in the books. The README beside this file
gives its figures.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from pipeline.checkpoint import write_small

RUNS = Path("outputs/folk")
ALL = ("dataset=folk", "stages=[ingest,train]", "train.time=128")
IN_MANY_KEYS = (
    "domain.transpose=5", "model=lstm", "model.hidden_size=288", "model.dropout=0.4", "train.batch=128",
    "train.lr=0.004", "train.average=0.998", "budget=4m",
)  # fmt: skip
AS_THEY_STAND = ("train.max_epochs=4", "train.batch=32", "train.lr=0.0004", "train.average=0.99")


def main() -> None:
    """Train twice, write the weights in half precision beside this script, and print their sha256."""
    first = train("pretraining", *IN_MANY_KEYS)
    second = train("finetuning", *AS_THEY_STAND, f"train.start={first}")
    target = Path(__file__).with_name("pretrained.ckpt")
    write_small(second, target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{target}: {target.stat().st_size:,} bytes, sha256 {digest}")


def train(name: str, *settings: str) -> Path:
    """The best checkpoint of one training."""
    command = [sys.executable, "-m", "pipeline", *ALL, *settings, f"hydra.run.dir={RUNS / name}"]
    subprocess.run(command, check=True)
    return RUNS / name / "train" / "best.ckpt"


if __name__ == "__main__":
    main()
