"""Build objects from configuration nodes: `_target_` names a dataclass of the pipeline, the other keys its
fields."""

import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.config.unknown_keys import describe_unknown_key
from pipeline.errors import ConfigError


def build(node: Any, where: str, package: str = "pipeline") -> Any:
    """Build the dataclass that the `_target_` of a node names, with the node's other keys as its fields.

    A configuration or a checkpoint can choose among the dataclasses of `package`, and import nothing else.
    Returns None for an absent node or target. Raises ConfigError for an unknown target, an unknown key (with
    the nearest known one), and a value of the wrong type or out of range.
    """
    values = plain_settings(node)
    if not values or values.get("_target_") is None:
        return None
    target = find_target(str(values["_target_"]), where, package)
    fields = {name: value for name, value in values.items() if name != "_target_"}
    names = [f.name for f in dataclasses.fields(target)]
    for name in fields:
        if name not in names:
            raise ConfigError(
                describe_unknown_key(f"{where}.{name}", [f"{where}.{known}" for known in names])
            )
    try:
        typed = OmegaConf.merge(OmegaConf.structured(target), escape(fields))
        return OmegaConf.to_object(typed)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{where}.{error.full_key}: {str(error).splitlines()[0]}") from None


def escape(value: Any) -> Any:
    """Escape ``${`` in every text of plain data, so that OmegaConf evaluates nothing."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, Mapping):
        return {key: escape(each) for key, each in value.items()}
    return [escape(each) for each in value] if isinstance(value, list | tuple) else value


def plain_settings(node: Any) -> Any:
    """Convert a configuration node to plain data that JSON can hold."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def find_target(target: str, where: str, package: str = "pipeline") -> type:
    """Return the dataclass that a `_target_` names; raise ConfigError where `package` has none of that
    name."""
    module_name, _, name = target.rpartition(".")
    try:
        if not module_name.startswith(package + ".") or not module_name.replace(".", "").isidentifier():
            raise ImportError
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ConfigError(f"{where}._target_={target!r} names no class of this program ({package}.…)")
    return found
