"""The records that a checkpoint of a data set has not learned, so that its bits on them mean something.

A JSON file: ``held_out``, the digest of its test split that the checkpoint states (`Corpus.digest`), and
``validation`` and ``test``, lists of record ids. All other records of the data set's sources it may know.
"""

import json
from pathlib import Path

import numpy as np

from pipeline.data.corpus import SUBSETS
from pipeline.errors import DataError


class PretrainedHeldOut:
    """The list of one checkpoint; `subsets` has the number of the subset of each record listed, by its id.

    Raises DataError where the file is none.
    """

    def __init__(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self.digest = str(content["held_out"])
            self.subsets = {str(name): kind for kind in (1, 2) for name in content[SUBSETS[kind]]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: not a list of held-out records ({error}); its keys are held_out, validation, test"
            ) from None


def split_by_held_out_list(spans: np.ndarray, listed: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Segments of whole records: those listed as validation or test, and for training all others that are
    no near-copies of these. Near-copies of a held-out record that the checkpoint may know are in no subset.

    `listed`, ``(records,)``, has the number of each record's subset, 0 of one that is not listed; `groups`,
    ``(records,)``, its group of near-copies.
    """
    near = np.isin(groups, groups[listed > 0])
    chosen = (listed > 0) | ~near
    return np.column_stack([spans, listed, np.arange(len(spans))])[chosen]
