"""The held-out records of a pretrained checkpoint: a new split holds the same records out, so that bits are
valid.

The JSON file has ``held_out``, the digest of the test split in the checkpoint (`Corpus.digest`), and
``validation`` and ``test``, lists of record ids. The checkpoint may have been trained on all other records of
the data set.
"""

import json
from pathlib import Path

import numpy as np

from pipeline.data.corpus import SUBSETS
from pipeline.errors import DataError


class PretrainedHeldOut:
    """The held-out list of one checkpoint; `subsets` maps the id of a listed record to the number of its
    subset.

    Raises DataError where the file is not such a list.
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
    """Assign the listed records to validation and test, and all others to training, except near-copies.

    The checkpoint may have been trained on near-copies of held-out records that are not listed, so these are
    in no subset. `listed`, ``(records,)``, is the number of the subset of each record, 0 where it is not
    listed. `groups`, ``(records,)``, is its group of near-copies. Returns segments as in `Corpus.segments`.
    """
    near = np.isin(groups, groups[listed > 0])
    chosen = (listed > 0) | ~near
    return np.column_stack([spans, listed, np.arange(len(spans))])[chosen]
