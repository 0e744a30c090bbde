"""Make `pretrained.ckpt`, the checkpoint of ``dataset=folk checkpoint=pretrained``.

Run ``python datasets/folk/pretrain.py`` from the project's folder: some minutes on a GPU, hours without one.
Settings of the command line are added, such as ``budget=10m``. The README beside this file gives its figures.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from pipeline.checkpoint import write_small

RUN = Path("outputs/folk/pretraining")
SETTINGS = (
    "dataset=folk", "stages=[ingest,train]", "domain.transpose=5", "model=lstm", "model.hidden_size=288",
    "model.dropout=0.4", "train.batch=128", "train.time=128", "train.lr=0.004", "train.average=0.998",
    "budget=4m",
)  # fmt: skip


def main() -> None:
    """Train, write the weights in half precision beside this script, and print their sha256."""
    command = [sys.executable, "-m", "pipeline", *SETTINGS, f"hydra.run.dir={RUN}", *sys.argv[1:]]
    subprocess.run(command, check=True)
    target = Path(__file__).with_name("pretrained.ckpt")
    write_small(RUN / "train" / "best.ckpt", target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{target}: {target.stat().st_size:,} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
