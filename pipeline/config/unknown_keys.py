"""Messages for settings that do not exist: the present name of a renamed setting, or the nearest names."""

import difflib
from collections.abc import Iterable

_OTHER_NAMES = {
    "sample.length": ("bars", "measures", "max_length", "max_tokens", "max_new_tokens"),
    "sample.count": ("number", "num_samples", "n_samples", "num_return_sequences"),
    "sample.prime": ("prompt", "start_text"),
    "domain.dance": ("form", "style", "genre", "tune_type"),
    "domain.meter": ("time_signature",),
    "train.max_epochs": ("epochs", "num_epochs"),
    "train.lr": ("learning_rate",),
    "train.accelerator": ("device",),
}
"""Our settings, each with the names that other programs or musicians use for it."""


RENAMED = {
    "model.phrases": "model.segments",
    "dataset.regions": "domain.regions",
    "dataset.features": "domain.features",
    "dataset.annotation": "domain.annotation",
    "dataset.contig_map": "domain.contig_map",
    "score.regions": "domain.score_regions",
    "train.time": "train.bptt_steps",
    "train.batch": "train.batch_size",
    "train.clip": "train.gradient_clip_val",
    "train.average": "train.ema_decay",
    "train.start": "train.init_from",
    "sample.typical": "sample.typical_p",
    "sample.copying": "sample.copy_weight",
}
"""Settings of earlier versions and their present names. Run folders and checkpoints are read by this table
too."""


def describe_unknown_key(key: str, known: Iterable[str]) -> str:
    """Return the message for a key that does not exist, with the nearest keys that do.

    >>> describe_unknown_key("sample.bars", ["sample.beam", "sample.length"])
    'sample.bars: there is no such setting; did you mean sample.length?'
    """
    known = list(dict.fromkeys(known))
    if (renamed := RENAMED.get(key)) in known:
        return f"{key}: there is no such setting; it is now named {renamed}"
    tail = key.rsplit(".", 1)[-1]
    meant = [name for name, words in _OTHER_NAMES.items() if tail in words and name in known]
    # The likeliest mistake is the right name in the wrong group, unless several groups have the name.
    named = [each for each in known if each.rsplit(".", 1)[-1] == tail]
    if len(named) != 1:
        named = difflib.get_close_matches(key, known, n=3, cutoff=0.6) or named[:3]
    near = meant or named
    hint = f"did you mean {' or '.join(near)}?" if near else "see --help for all settings"
    return f"{key}: there is no such setting; {hint}"
