"""Overrides as plain data, from the command line and from the manifest of a run.

No value is evaluated: ``${`` is text, in the user's own path and in a stranger's manifest. A manifest whose
overrides this user typed on this machine has a signature. Files and addresses outside the run folder that
another manifest names are refused until the user repeats them. `SECURITY.md` has the full rule.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, OverrideType, QuotedString
from hydra.errors import HydraException

from pipeline.config.build import escape, find_target
from pipeline.config.sampling import ALTERNATIVES
from pipeline.config.schema import PRETRAINED
from pipeline.config.unknown_keys import RENAMED
from pipeline.errors import ConfigError
from pipeline.runtime import files
from pipeline.runtime.folders import cache_folder, resource_folder
from pipeline.runtime.manifest import MANIFEST, read_manifest
from pipeline.runtime.terminal import printable

if TYPE_CHECKING:
    from pipeline.domain import Component

OUTSIDE = frozenset((
    "dataset.path", "dataset.sources", "dataset.pretrained", "dataset.split.file", "checkpoint",
    "train.init_from", "score.path", "run",
))  # fmt: skip
"""Settings that name files and addresses outside the run folder. Domains and renders state their own."""
PRIMES = ("sample.prime", "sample.primes", "sample.grid.primes")
"""Settings that name a file where a text begins with @."""
KEY_BYTES = 32


def quote(text: str) -> str:
    """Quote a text so that Hydra and OmegaConf read it unchanged."""
    whole = re.sub(r"(\\*)'", r"\1\1\\'", escape(text))
    return "'" + re.sub(r"(\\+)$", r"\1\1", whole) + "'"


def literal(override: str) -> str:
    """Return the override with ``${`` as text; settings of Hydra and invalid overrides stay unchanged."""
    if "${" not in override or override.startswith("hydra."):
        return override
    try:
        parsed = _parse(override)
    except HydraException:
        return override  # Hydra refuses it with its own message
    return f"{override.split('=', 1)[0]}={_text(parsed._value)}"


def rename_key(override: str) -> str:
    """Return an override of an earlier version under the present name of the setting.

    >>> rename_key("train.batch=8")
    'train.batch_size=8'
    """
    key, equals, value = override.partition("=")
    name = key.lstrip("+~")
    return f"{key.removesuffix(name)}{RENAMED.get(name, name)}{equals}{value}"


def _parse(override: str) -> Override:
    return OverridesParser.create().parse_override(override)


def _text(value: Any) -> str:
    if isinstance(value, QuotedString):
        value = value.text
    if isinstance(value, str):
        # An escape of the user stays.
        return quote(re.sub(r"\\\$\{", "${", value))
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, ChoiceSweep):
        return ",".join(map(_text, value.list))
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def resumed(arguments: Sequence[str], check: Callable[[list[str]], None]) -> list[str]:
    """With ``run=FOLDER``: the folder's own overrides, which `check` sees, then those given now, which win.

    Raises ConfigError where there is no manifest, or one that names what lies outside without being the
    user's, and DataError where it is damaged.
    """
    given = dict(a.split("=", 1) for a in arguments if "=" in a and not a.startswith("-"))
    if given.get("run", "null") in ("", "null"):
        return list(arguments)
    folder = _folder(given["run"])
    manifest = read_manifest(folder)
    if manifest is None:
        raise ConfigError(f"run={folder}: no {MANIFEST} in {folder.absolute()}; name a run's folder")
    stored = [rename_key(literal(each)) for each in manifest["overrides"]]
    stored = [
        each for each in stored if not _replaced(each, given) and not _is_replaced_by_alternative(each, given)
    ]
    check(stored)
    if not _is_own(manifest):
        _refuse_outside(folder, stored)
    if stored:
        sys.stderr.write(printable(f"settings of {folder}: {' '.join(stored)}\n"))
    now = [a for a in arguments if not a.startswith("run=")]
    return [*stored, *now, f"run={quote(str(folder))}", f"hydra.run.dir={quote(str(folder))}"]


def _folder(text: str) -> Path:
    """Return the folder as typed, with or without the quotes of Hydra."""
    typed = Path(text).expanduser()
    if not typed.exists() and text[:1] in ("'", '"'):
        with suppress(HydraException):
            return Path(str(_parse(f"run={text}").value())).expanduser()
    return typed


def _replaced(stored: str, given: Mapping[str, str]) -> bool:
    """Whether a setting given now has the same key, or chooses its group."""
    key = stored.lstrip("+~").split("=", 1)[0]
    return key in given or (key.split(".", 1)[0] in given and "." in key)


def _is_replaced_by_alternative(stored: str, given: Mapping[str, str]) -> bool:
    """Whether a setting given now is an alternative to it, as one temperature is to a grid of
    temperatures."""
    key = stored.lstrip("+~").split("=", 1)[0]
    for name, value in given.items():
        earlier = _alternatives(name) if value not in ("", "''", "null", "[]") else ()
        if any(key == other or key.startswith(f"{other}.") for other in earlier):
            sys.stderr.write(printable(f"{stored}, of the earlier run, is replaced by {name}={value}\n"))
            return True
    return False


def _alternatives(name: str) -> tuple[str, ...]:
    """Settings that give way to this one: those of `ALTERNATIVES`, and those that domains state for their
    data."""
    if name not in ("score.path", "dataset.path", "dataset.source"):
        return ALTERNATIVES.get(name, ())
    kinds = _load_components("domain")
    stated = [kind.score_settings if name == "score.path" else kind.data_settings for kind in kinds]
    settings = (each for names in stated for each in names)
    return (*ALTERNATIVES.get(name, ()), *(f"domain.{each}" for each in dict.fromkeys(settings)))


def _refuse_outside(folder: Path, stored: Sequence[str]) -> None:
    """Raise ConfigError where the manifest of another user has more than plain settings."""
    groups = {path.name for path in resource_folder("conf").iterdir() if path.is_dir()}
    outside = []
    for override in stored:
        try:
            parsed = _parse(override)
            values = dict(_flat(parsed.key_or_group, parsed.value()))
        except (HydraException, RecursionError):
            raise ConfigError(f"{folder / MANIFEST}: {override[:80]!r} is no override; name a run") from None
        odd = parsed.type == OverrideType.DEL or parsed.package is not None or parsed.is_sweep_override()
        if odd or (parsed.key_or_group in groups and not _is_shipped(parsed.key_or_group, parsed.value())):
            raise ConfigError(
                f"{folder / MANIFEST}: {override[:80]!r} is no setting that a run may hand on; "
                "name another run"
            )
        outside += [override] if any(_is_outside(key, value) for key, value in values.items()) else []
    if outside:
        raise ConfigError(
            f"run={folder}: you did not make this run on this machine, and it names files or addresses "
            f"outside its folder: {' '.join(outside)}; repeat those that you trust after run=..., and set "
            "the others to null"
        )


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and plain values, and the key of each mapping."""
    yield key, value
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _flat(f"{key}.{name}", each)


def _is_shipped(group: str, name: Any) -> bool:
    names = {path.stem for path in (resource_folder("conf") / group).glob("*.yaml")}
    return name is None or str(name) in names


def _is_outside(key: str, value: Any) -> bool:
    if value is None or value == PRETRAINED:
        return False
    if any(kind.sends_data for kind in _load_components(key, str(value))):
        return True
    texts = [str(each) for each in (value if isinstance(value, list) else [value])]
    if key in PRIMES:
        return any(text.startswith("@") for text in texts)
    group, _, name = key.partition(".")
    return key in OUTSIDE or any(kind.names_file(name, value) for kind in _load_components(group))


def _load_components(group: str, name: str | None = None) -> "list[type[Component]]":
    """The domains or renders that one file or all files of a group of ``conf/`` name, each once."""
    from pipeline.domain import Component  # late: NumPy takes 0.1 s, and most command lines name no run

    paths = sorted((resource_folder("conf") / group).glob("*.yaml"))
    chosen = [path for path in paths if name in (None, path.stem)]
    contents = (yaml.safe_load(path.read_text("utf-8")) or {} for path in chosen)
    named = (content.get("_target_") for content in contents)
    found = [find_target(each, group) for each in dict.fromkeys(named) if each is not None]
    return [kind for kind in found if issubclass(kind, Component)]


def _is_own(manifest: Mapping[str, Any]) -> bool:
    """Whether this user typed the overrides on this machine."""
    signature = sign(manifest["overrides"])
    return signature is not None and hmac.compare_digest(signature, manifest.get("signature") or "")


def sign(overrides: Sequence[str]) -> str | None:
    """Sign overrides with the key of this user on this machine; return None without a key."""
    key = _key()
    text = json.dumps(list(overrides)).encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest() if key else None


def _key() -> bytes | None:
    """Return the key of the user, created at the first call; None where it cannot be stored privately."""
    path = cache_folder() / "key"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_key(path)
        with files.open_regular(path) as stream:
            status, key = os.fstat(stream.fileno()), stream.read()
        if status.st_uid == os.getuid() and not status.st_mode & 0o077 and len(key) == KEY_BYTES:
            return key
    return None


def _make_key(path: Path) -> None:
    """Create the key atomically, because another run may create or read it at the same time."""
    draft = path.with_name(f".{path.name}-{os.getpid()}.partial")
    try:
        with files.create(draft, mode=0o600) as stream:
            stream.write(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
