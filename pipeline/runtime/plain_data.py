"""Plain data from files, checked against type hints, so that every field has its type."""

import dataclasses
import json
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

MAX_DEPTH = 40
"""Levels of nesting."""
MAX_INTEGER = 2**63


def load_json(text: str | bytes) -> Any:
    """Parse JSON; raise ValueError for invalid or too deeply nested text, and for a lone surrogate."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    _check_depth(value, MAX_DEPTH)
    return value


def build_checked(kind: type, values: Any) -> Any:
    """Build a dataclass from a mapping; raise ValueError where a field is absent, unknown or of another
    type."""
    hints = get_type_hints(kind)
    required = {
        field.name for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }  # fmt: skip
    if not isinstance(values, Mapping) or not required <= set(values) <= set(hints):
        raise ValueError(f"not the fields of a {kind.__name__}")
    for name, value in values.items():
        check(value, hints[name], name)
    return kind(**values)


def check(value: Any, hint: Any, where: str) -> None:
    """Raise ValueError where a value does not have the type of the hint; numbers must be finite."""
    if not _fits(value, hint, where):
        raise ValueError(f"{where} is {str(value)[:40]!r}, not {getattr(hint, '__name__', hint)}")


def _fits(value: Any, hint: Any, where: str) -> bool:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(_matches(value, each, where) for each in args)
    if is_typeddict(hint):
        whole = isinstance(value, dict) and hint.__required_keys__ <= set(value)
        return whole and _all_fit(value, hint, where)
    if origin in (list, tuple, Sequence):
        return isinstance(value, list | tuple) and all(_fits(each, args[0], where) for each in value)
    if origin in (dict, Mapping):
        keys = isinstance(value, dict) and all(isinstance(key, str) for key in value)
        return keys and all(_fits(each, args[1], where) for each in value.values())
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_INTEGER
    return isinstance(value, hint)


def _matches(value: Any, hint: Any, where: str) -> bool:
    try:
        return _fits(value, hint, where)
    except ValueError:
        return False


def _all_fit(value: dict[str, Any], hint: Any, where: str) -> bool:
    """Whether the values of all keys of a TypedDict fit; other keys are ignored."""
    for key, each in get_type_hints(hint).items():
        if key in value:
            check(value[key], each, f"{where}.{key}")
    return True


def _finite(value: float) -> bool:
    return abs(value) < MAX_INTEGER if isinstance(value, int) else math.isfinite(value)


def _check_depth(value: Any, left: int) -> None:
    if not left:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        value.encode()  # a lone surrogate cannot be written
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        _check_depth(each, left - 1)
