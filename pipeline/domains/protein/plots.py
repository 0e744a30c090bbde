"""The plots of `statistics.py`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.domains.protein.cleaning import STANDARD
from pipeline.domains.protein.properties import HYDROPATHY
from pipeline.evaluation.plots import colour, new_figure, save_svg


def composition(groups: Mapping[str, Sequence[str]], path: Path) -> Path:
    """The share of each amino acid in every group, from the most hydrophobic to the least."""
    figure = new_figure()
    axes = figure.subplots()
    order = np.argsort(-HYDROPATHY, kind="stable")
    for number, (name, sequences) in enumerate(groups.items()):
        text = "".join(sequences)
        shares = np.array([100 * text.count(letter) / len(text) for letter in STANDARD])[order]
        places = np.arange(len(STANDARD)) + 0.8 * ((number + 0.5) / len(groups) - 0.5)
        axes.bar(places, shares, 0.8 / len(groups), color=colour(name), label=name)
    axes.set_xticks(range(len(STANDARD)), [STANDARD[place] for place in order])
    axes.grid(visible=False, axis="x")
    axes.set_xlabel("amino acid, the most hydrophobic first")
    axes.set_ylabel("share of residues, %")
    axes.legend()
    return save_svg(figure, path)
