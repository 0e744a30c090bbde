"""The reference page of all settings, generated from the schema: names, defaults, one sentence each."""

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import yaml
from numpydoc.docscrape import NumpyDocString
from sphinx.pycode import ModuleAnalyzer

from pipeline.config.build import find_target
from pipeline.config.schema import Config
from pipeline.runtime.folders import resource_folder

HEAD = """# Settings

This page is generated from the source code. Write `name=value` on the command line. A value with `,`, `=`,
`[` or `(` needs quotes: `"name='value'"`. A mistyped name is an error that names the nearest setting. Data
sets change some defaults: `python -m pipeline dataset=NAME --help` prints those of one data set.
"""


def write_settings_page(folder: Path) -> None:
    """Write `settings.md` into `folder`, unless it already has this text."""
    folder.mkdir(parents=True, exist_ok=True)
    text, path = settings_page(), folder / "settings.md"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def settings_page() -> str:
    """The page as Markdown."""
    folders = sorted(path.name for path in resource_folder("conf").iterdir() if path.is_dir())
    general = [field.name for field in dataclasses.fields(Config)]
    groups = [name for name in dict.fromkeys((*general, *folders)) if _group_files(name)]
    return "\n".join([HEAD, *_general(), *(line for group in groups for line in _group(group))])


def _general() -> list[str]:
    lines = ["## The run", "", *_table(Config, "", skip_groups=True), ""]
    for field in dataclasses.fields(Config):
        if dataclasses.is_dataclass(field.type):
            lines += _section("##", f"`{field.name}`", field.type, field.name)
            for inner in dataclasses.fields(field.type):
                if dataclasses.is_dataclass(inner.type):
                    name = f"{field.name}.{inner.name}"
                    lines += _section("###", f"`{name}`", inner.type, name)
    return lines


def _group(group: str) -> list[str]:
    """The files of a group of conf/; files that name one class share a section."""
    kinds: dict[type, list[str]] = {}
    for path in _group_files(group):
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        kinds.setdefault(find_target(values["_target_"], group), []).append(path.stem)
    lines = [f"## `{group}`", ""]
    for kind, names in kinds.items():
        lines += _section("###", ", ".join(f"`{group}={name}`" for name in names), kind, group)
    return lines


def _group_files(group: str) -> list[Path]:
    """The files of a group of conf/ that name a class."""
    files = sorted((resource_folder("conf") / group).glob("*.yaml"))
    named = (yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files)
    return [path for path, values in zip(files, named, strict=True) if values.get("_target_")]


def _section(level: str, title: str, kind: type, prefix: str) -> list[str]:
    summary = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    return [f"{level} {title}", "", summary, "", *_table(kind, prefix), ""]


def _table(kind: type, prefix: str, skip_groups: bool = False) -> list[str]:
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.type) or (skip_groups and _group_files(field.name)):
            continue
        name = f"{prefix}.{field.name}" if prefix else field.name
        rows.append(f"| `{name}` | {_format(_default(field))} | {_meaning(kind, field.name)} |")
    return rows if len(rows) > 2 else ["It has no settings of its own."]


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _format(value: Any) -> str:
    if value is dataclasses.MISSING or value in (None, "", "???", {}, []):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _meaning(kind: type, name: str) -> str:
    """The text below a field, or under Parameters of its class, or of the base class that declares the
    field."""
    for each in kind.__mro__:
        if each.__module__.startswith("pipeline"):
            found = ModuleAnalyzer.for_module(each.__module__).find_attr_docs().get((each.__name__, name))
            found = found or _parameters(each).get(name)
            if found:
                return " ".join(" ".join(found).split()).replace("|", r"\|")
    return ""


def _parameters(kind: type) -> dict[str, list[str]]:
    """The texts under Parameters in the docstring of a class, by name."""
    parsed = NumpyDocString(inspect.cleandoc(kind.__doc__ or ""))["Parameters"]
    return {name: each.desc for each in parsed for name in each.name.split(", ")}
