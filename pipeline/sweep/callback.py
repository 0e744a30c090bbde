"""Hydra's hook at the start of a sweep: every job's settings are checked before the first job runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
"""The sweeper that runs every combination of values; others choose values as they go."""


class SweepCallback(Callback):
    """Remembers the folder of a sweep, and checks its jobs.

    `check` is called with the configuration and the overrides of every job; what it raises ends the sweep.
    Hydra turns exceptions of callbacks into warnings, so that `check` raises SystemExit.
    """

    folder: ClassVar[Path | None] = None
    overrides: ClassVar[Sequence[str]] = ()
    check: ClassVar[Callable[[DictConfig, list[str]], None]]

    def on_multirun_start(self, config: DictConfig, config_name: str | None = None, **kwargs: Any) -> None:
        """Hydra calls this before the sweeper begins."""
        typed = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        overrides = [str(each) for each in typed or ()]
        if config.hydra.sweeper.get("_target_") == BASIC_SWEEPER:
            _check_jobs(config_name, overrides)
        SweepCallback.folder, SweepCallback.overrides = Path(config.hydra.sweep.dir), overrides


def _check_jobs(config_name: str | None, overrides: list[str]) -> None:
    """Compose and check the configuration of every job, as Hydra's own sweeper will compose it."""
    loader = GlobalHydra.instance().config_loader()
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(overrides)
    for job in BasicSweeper.split_arguments(parsed, max_batch_size=None)[0]:
        composed = loader.load_configuration(config_name, list(job), RunMode.RUN)
        with open_dict(composed):
            del composed["hydra"]
        SweepCallback.check(composed, list(job))
