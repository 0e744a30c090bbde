"""The configuration that Hydra composes: the types of its values, and the groups that a data set adds."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.config.schema import Config
from pipeline.config.unknown_keys import describe_unknown_key
from pipeline.errors import ConfigError

GENERAL = tuple(each.name for each in dataclasses.fields(Config))
"""The keys that every configuration has."""


def register_schema() -> None:
    """Store the types of `Config` for Hydra. The root has no type, so that a data set can add groups."""
    typed = OmegaConf.structured(Config)
    ConfigStore.instance().store(
        "schema", OmegaConf.create({name: typed._get_node(name) for name in GENERAL})
    )


def find_added_groups(config: Mapping[Any, Any]) -> list[str]:
    """Return the groups that only the data set has, such as a search in a database; each names a `Render`.

    Raises ConfigError for a key that no file of ``conf/`` explains.
    """
    added = [name for name in config if name not in GENERAL]
    for name in added:
        if not (isinstance(config[name], Mapping | DictConfig) and "_target_" in config[name]):
            raise ConfigError(describe_unknown_key(name, GENERAL))
    return added


def typed_settings(config: DictConfig) -> Config:
    """Convert the general settings to objects; raise ConfigError where a value is out of range."""
    try:
        general = OmegaConf.masked_copy(config, list(GENERAL))
        settings: Any = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), general))
    except OmegaConfBaseException as error:
        # A settings class that refuses a value raises ConfigError, which OmegaConf wraps.
        cause = error.__cause__ if isinstance(error.__cause__, ConfigError) else error
        raise ConfigError(str(cause).splitlines()[0]) from None
    return settings
