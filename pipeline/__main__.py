"""The command line: compose the configuration, check every key, build everything, run the stages.

The only place that prints an error.
"""

import errno
import io
import math
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, cast

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from pipeline.config.composition import register_schema
from pipeline.config.overrides import literal, resumed
from pipeline.config.schema import STAGES, Config
from pipeline.config.unknown_keys import describe_unknown_key
from pipeline.errors import ConfigError, PipelineError
from pipeline.run_folder.lock import LOCK, claim_folder
from pipeline.runtime import process
from pipeline.runtime.files import is_text
from pipeline.runtime.folders import resource_folder
from pipeline.runtime.manifest import read_manifest
from pipeline.runtime.terminal import printable
from pipeline.stages.warmup import BackgroundWarmup
from pipeline.sweep.callback import SweepCallback
from pipeline.sweep.jobs import FAILURE, record_failure

CHOSEN_FOLDER = ("hydra.run.dir=", "hydra.sweep.")
"""Overrides by which a user chooses the run's folder."""
REMEDIES = {
    errno.ENOSPC: "; make room there", errno.EDQUOT: "; make room there",
    errno.EFBIG: "; allow larger files, with ulimit -f",
}  # fmt: skip


@hydra.main(version_base="1.3", config_path=str(resource_folder("conf")), config_name="config")
def job(config: DictConfig) -> float | None:
    """One run, or one job of a sweep; Hydra has composed its configuration.

    Returns the bits per symbol on the validation split, which optimising sweepers minimise.
    """
    choices = HydraConfig.get()
    if choices.mode == RunMode.MULTIRUN:
        return _sweep_job(config, list(choices.overrides.task), Path(choices.sweep.dir))
    with _errors_as_messages():
        return _run(config, list(choices.overrides.task), None)


def _sweep_job(config: DictConfig, overrides: list[str], sweep: Path) -> float | None:
    """A job of a sweep; NaN where it ends in an error, which is shown and recorded: the other jobs run."""
    folder = _output_dir()
    (folder / FAILURE).unlink(missing_ok=True)
    try:
        with _errors_as_messages():
            return _run(config, overrides, sweep)
    except _Ended as ended:
        if ended.code != 1:  # an interrupt ends the sweep
            raise
        record_failure(_output_dir(), overrides, ended.message)
        return math.nan


def _run(config: DictConfig, overrides: list[str], sweep: Path | None) -> float | None:
    """A run in the folder that Hydra made, or in a new one where a run began there in the same second."""
    folder = _output_dir()
    try:
        chosen = any(each.startswith(CHOSEN_FOLDER) for each in HydraConfig.get().overrides.hydra)
        if not chosen:
            folder = _set_output_dir(claim_folder(folder))
        _reject_undeclared(overrides)
        with BackgroundWarmup.from_config(config) as warmup:
            from pipeline.run import run  # torch and all: late, so that --help and mistakes answer at once

            return run(config, folder, overrides, sweep, warmup)
    finally:
        _remove_empty(folder)


def _check_job(config: DictConfig, overrides: list[str]) -> None:
    """End the sweep, before its first job, where the settings of one of its jobs are refused."""
    from pipeline.run import build_run_inputs  # torch takes seconds to load, and only a sweep needs it here

    with _errors_as_messages(f" (in the job with {' '.join(overrides)})"):
        _reject_undeclared(overrides)
        build_run_inputs(config, Path(), overrides)


def _summarise_sweep() -> None:
    """Write the tables and the page of a sweep, also of a stopped one; status 1 where a job failed."""
    if (folder := SweepCallback.folder) is None or not folder.is_dir():
        return
    from pipeline.sweep.summary import summarise  # matplotlib takes a second to load, for sweeps alone

    summary = summarise(folder, SweepCallback.overrides)
    for line in summary.lines:
        print(printable(line))  # noqa: T201
    if summary.failed:
        raise _Ended(1, summary.lines[-1])


def main() -> None:
    """Run the command line; the exit status is 0, 1 for an error, 130 for an interrupt."""
    _open_standard_streams()
    process.prepare()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing and leaving
    signal.signal(signal.SIGTERM, _terminated)
    register_schema()
    OmegaConf.register_new_resolver("list_groups", _list_groups, replace=True)
    with _errors_as_messages():
        sys.argv[1:] = _arrange_for_hydra(_resumed(sys.argv[1:]))
        SweepCallback.folder, SweepCallback.check = None, _check_job
        try:
            job()
        finally:
            _summarise_sweep()


def _open_standard_streams() -> None:
    """Open closed standard streams, because the next opened file would take their number and get the
    output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _resumed(arguments: list[str]) -> list[str]:
    """The arguments as plain data, with those of the run that ``run=`` names before them."""
    # Only our own keys of a manifest are accepted: it cannot change settings of Hydra.
    for each in (*arguments, str(Path.cwd())):
        if not is_text(each):
            raise ConfigError(f"{each!a}: a name that is not UTF-8; rename it, or use a link to it")
    whole = resumed(arguments, _reject_undeclared)
    return [each if each.startswith("-") else literal(each) for each in whole]


def _terminated(*_: object) -> None:
    """End as by Ctrl-C, also in the background of a shell, which ignores Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


class _Ended(SystemExit):
    """The end of the program, or of a job of a sweep, after a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status)
        self.message = message


@contextmanager
def _errors_as_messages(where: str = "") -> Iterator[None]:
    """What a user can cause ends in one message and an exit status, never in a traceback.

    `where` follows the message of a setting that is refused.
    """
    try:
        yield
    except KeyboardInterrupt:
        _fail(f"stopped; finished stages are kept{_how_to_continue()}", 130)
    except PipelineError as error:
        _fail(f"{error}{where}{_how_to_continue()}")
    except OverrideParseException as error:
        _fail(f"{error.override}: {_how_to_quote(str(error.override))}")
    except (HydraException, OmegaConfBaseException) as error:
        _fail(f"{_explain(error, sys.argv[1:])}{where}")
    except MemoryError as error:
        _fail_on_compiled(error)
        _fail("out of memory; lower train.batch_size, model.hidden_size or sample.count")
    except BrokenPipeError:
        # The reader of the output, such as head, has ended; nothing can be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "")
        where = error.filename or "the run folder"
        _fail(f"{where}: {error.strerror or error}{remedy}{_how_to_continue()}")
    except Exception as error:
        _fail_on_compiled(error)
        raise


def _fail_on_compiled(error: Exception) -> None:
    """End with one message where the error is of compiled code that numba has kept and cannot load."""
    if (folder := process.forget_compiled(error)) is not None:
        remedy = "remove it and run again" if folder.exists() else "it was removed; run again"
        _fail(f"{folder}: the compiled code that is kept there is damaged; {remedy}{_how_to_continue()}")


def _arrange_for_hydra(arguments: list[str]) -> list[str]:
    """-m before all overrides, not between; and for its page of help some data set."""
    if {"-h", "--help"} & set(arguments) and not any(a.startswith("dataset=") for a in arguments):
        arguments = ["dataset=text", *arguments]
    return sorted(arguments, key=lambda each: each not in ("-m", "--multirun"))


def _how_to_quote(override: str) -> str:
    """Why an override cannot be read, and the remedy."""
    _, _, value = override.partition("=")
    beyond = not value.isascii() and not set(value) & set(",=[({")
    which = "letters beyond ASCII" if beyond else ", = [ or ("
    return f"cannot be read; a value with {which} needs quotes: \"key='value'\""


def _explain(error: Exception, arguments: list[str]) -> str:
    """Hydra's and OmegaConf's errors in our words: which key, what is allowed."""
    text = str(error)
    keys = [a.lstrip("+~").split("=", 1)[0].split("@")[0] for a in arguments if "=" in a]
    groups = sorted(p.name for p in resource_folder("conf").iterdir() if p.is_dir())
    if text.startswith("Ambiguous value"):
        several = next((a for a in arguments if f"'{a}'" in text), "a value")
        return f"{several}: {_how_to_quote(several)}; several values, for a sweep, need -m"
    # Where Hydra wraps OmegaConf's error, the inner one names the key, the value and its type.
    inner = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key, known = _faulty_key(inner), [*_known_keys(), *groups]
    if key and key not in known and re.search(r"not in (struct|')", str(inner)):
        return describe_unknown_key(key, known)  # also in a configuration file of the user's
    if "dataset" in text and ("mandatory" in text or "You must specify" in text or "find 'dataset/" in text):
        wrong = [a for a in arguments if a.startswith("dataset=")]
        found = f"{wrong[0]}: there is no such data set" if wrong else "choose a data set with dataset=NAME"
        return f"{found}\n\n{_data_sets()}"
    for given in keys:
        if given not in known and not given.startswith("hydra"):
            return describe_unknown_key(given, known)
    for group in groups:
        if f"find '{group}/" in text:
            names = sorted(p.stem for p in (resource_folder("conf") / group).glob("*.yaml"))
            wrong = [a for a in arguments if a.startswith(f"{group}=")]
            return f"{wrong[0] if wrong else group}: not one of {', '.join(names)}"
    first = next((line for line in str(inner).splitlines() if line.strip()), type(error).__name__)
    if key == "stages":
        return f"stages: write a list, such as stages=[sample,report]; there are {', '.join(STAGES)}"
    unmatched = re.search(r"Could not override '(\w+)'. No match in the defaults list", text)
    absent = unmatched[1] if unmatched else key if key in groups and "is not in struct" in first else None
    wrong = [a for a in arguments if absent and a.startswith(absent)]
    if absent and wrong:
        return _absent_group(absent, wrong[0])
    if key and "is not in struct" in first:  # a setting of another model, domain or render
        return f"{key}: the {key.split('.')[0]} chosen here has no such setting; see --help for those it has"
    return f"{key}: {first}" if key and key not in first else first


def _absent_group(group: str, override: str) -> str:
    """The message for a group that the data set does not bring, such as a search in a database."""
    having = []
    for path in sorted((resource_folder("conf") / "dataset").glob("*.yaml")):
        defaults = yaml.safe_load(path.read_text(encoding="utf-8"))["defaults"]
        having += [path.stem for each in defaults if f"/{group}" in each]
    return f"{override}: only the data sets {', '.join(having)} have the setting {group}; leave it out"


def _list_groups(*, _root_: DictConfig) -> str:
    """The groups of the composed configuration with their files, for the page of help."""
    groups = sorted(each for each in _root_.hydra.runtime.choices if not each.startswith("hydra"))
    loader = GlobalHydra.instance().config_loader()
    return "".join(f"{group}: {', '.join(sorted(loader.get_group_options(group)))}\n" for group in groups)


def _faulty_key(error: Exception) -> str | None:
    """The key, with dots, that an error of OmegaConf or of Hydra is about; None where it names none."""
    named = re.search(r"^\s*full_key: (\S+)$", str(error), re.MULTILINE)
    return getattr(error, "full_key", None) or (named[1] if named else None)


def _reject_undeclared(overrides: list[str]) -> None:
    """Hydra accepts ``+key=value`` for any key, whatever the schema says; we do not."""
    known = _known_keys()
    groups = [path.name for path in resource_folder("conf").iterdir() if path.is_dir()]
    for override in overrides:
        key = override.lstrip("+~").split("=", 1)[0].split("@")[0]
        if key not in known and key not in groups:
            raise ConfigError(describe_unknown_key(key, [*known, *groups]))


def _known_keys() -> list[str]:
    """All keys that some configuration of ours has, with dots."""

    def walk(node: Any, prefix: str) -> list[str]:
        if not isinstance(node, dict):
            return [prefix]
        below = [key for name, value in node.items() for key in walk(value, f"{prefix}.{name}".lstrip("."))]
        return [prefix, *below] if prefix else below

    keys = set(walk(OmegaConf.to_container(OmegaConf.structured(Config)), ""))
    for path in resource_folder("conf").glob("*/*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if "_target_" in content:
            keys |= set(walk(content, path.parent.name))
    return sorted(key for key in keys if key and "_target_" not in key)


def _data_sets() -> str:
    """The data sets with a line on each."""
    rows = []
    for path in sorted((resource_folder("conf") / "dataset").glob("*.yaml")):
        about = yaml.safe_load(path.read_text(encoding="utf-8"))["dataset"]["about"]
        rows.append(f"  {path.stem:<12} {about}")
    return "\n".join(["data sets:", *rows, "", "for example: python -m pipeline dataset=drosophila"])


def _output_dir() -> Path:
    """The run's folder as Hydra has it; its name is text, whatever is in it."""
    runtime = cast(DictConfig, HydraConfig.get().runtime)
    return Path(cast(dict[str, str], OmegaConf.to_container(runtime, resolve=False))["output_dir"])


def _set_output_dir(folder: Path) -> Path:
    runtime = HydraConfig.get().runtime
    with read_write(cast(DictConfig, runtime)):
        runtime.output_dir = str(folder)
    return folder


def _remove_empty(folder: Path) -> None:
    """Hydra makes the run's folder; a run that never began leaves none behind, nor an empty sweep."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
    for path in (folder, folder.parent):
        with suppress(OSError):
            path.rmdir()


def _how_to_continue() -> str:
    if not HydraConfig.initialized() or OmegaConf.is_missing(HydraConfig.get().runtime, "output_dir"):
        return ""
    folder = _output_dir()
    with suppress(PipelineError):
        if (read_manifest(folder) or {"stages": {}})["stages"]:
            return f"\ncontinue with: python -m pipeline {shlex.quote(f'run={folder}')}"
    return ""


def _fail(message: str, status: int = 1) -> NoReturn:
    sys.stderr.write(f"error: {printable(message)}\n")
    raise _Ended(status, message)


if __name__ == "__main__":
    main()
