"""The report: one page that shows a run, opens offline, and makes no request.

It reads only the manifest and the files that the manifest names, and knows no domain. `blocks.py` turns files
into blocks, and `page.html.jinja` is the page. The template escapes all data, and a content security policy
forbids the page to load or send anything.
"""

import base64
import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.records import DETAILS, QUALITY, RESULTS
from pipeline.report.blocks import PageContext, build_section
from pipeline.report.formatting import (
    format_duration,
    format_name,
    format_number,
    format_sentence,
    format_time,
)
from pipeline.runtime.files import write_atomically

TITLES = {
    "ingest": "Data", "train": "Training", "sample": "Sampling", "postprocess": "Postprocessing",
    "score": "Scored sequences", "sweep": "Sweep",
}  # fmt: skip
PARTS = {RESULTS: "What was generated", QUALITY: "How good it is"}
"""The first parts of a report; all other sections are in the parts of their stages."""
RESULTS_ORDER = ("sample", "postprocess", "score", "ingest", "train")
"""The order of the stages in the first parts; other stages follow."""
MAX_CONCLUSIONS = 5
HEADLINES = (
    ("train", "test_bits", "bits per symbol on the test split"),
    ("train", "markov_bits", "bits of the best Markov model"),
    ("train", "parameters", "parameters"),
    ("ingest", "symbols", "symbols in the corpus"),
)
"""Figures of every run; they are the first headlines."""
MAX_HEADLINES = 8
MAX_HEADLINE_CHARACTERS = 24
GROUP_SUFFIXES = {", real": "real data", ", held-out real": "held-out real", ", shuffled": "shuffled"}
"""A figure with such a suffix is the same metric of another group; ", Markov …" is another suffix."""
TEMPLATE_DIR = Path(__file__).parent


def write_report(
    manifest: Mapping[str, Any],
    run_dir: Path,
    path: Path,
    commands: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """Write the report of a run as one HTML file at `path`; `commands` are other lines than a run's to show.

    A missing file is shown as missing. Raises OSError where `path` cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = ((TEMPLATE_DIR / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    text = environment.get_template("page.html.jinja").render(
        **_contents(manifest, PageContext(run_dir, path.parent, made=_files_by_record(manifest)), commands),
        policy=content_policy(style, script), style=Markup(style), script=Markup(script),
    )  # fmt: skip
    write_atomically(path, text)
    return path


def content_policy(style: str, script: str) -> str:
    """Return a policy that allows nothing from outside, and only this style and this script, by their
    hashes."""

    def allow(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        "default-src 'none'; img-src data:; media-src data:; "
        f"style-src {allow(style)}; script-src {allow(script)}; base-uri 'none'; form-action 'none'"
    )


def _contents(
    manifest: Mapping[str, Any], page: PageContext, commands: Mapping[str, Sequence[str]] | None
) -> dict[str, Any]:
    stages = {name: stage for name, stage in manifest.get("stages", {}).items() if name != "report"}
    config = manifest.get("config", {})
    dataset = config.get("dataset") if isinstance(config.get("dataset"), Mapping) else {}
    return {
        "title": _title(manifest, stages),
        "about": _about(dataset),
        "created": format_time(str(manifest.get("created", ""))),
        "version": str(manifest.get("version", "")),
        "conclusions": _conclusions(stages),
        "headlines": _headlines(stages),
        "parts": [_part(name, stages, page) for name in PARTS],
        "stages": [_stage_view(name, stage, page) for name, stage in stages.items()],
        "seconds": format_duration(sum(stage.get("seconds") or 0 for stage in stages.values())),
        "commands": _command_lines(commands or _commands(manifest, page)),
        **_reproduction(stages, manifest),
    }


def _title(manifest: Mapping[str, Any], stages: Mapping[str, Any]) -> str:
    """The name of the data, or of the data set where the manifest has none."""
    named = stages.get("ingest", {}).get("figures", {}).get("data")
    return str(named or manifest.get("dataset", "run"))


def _conclusions(stages: Mapping[str, Any]) -> list[str]:
    """At most `MAX_CONCLUSIONS` conclusions, warnings first; the first line of each stage where there is
    none."""
    keys = ("warnings", "conclusions")
    found = list(
        dict.fromkeys(line for key in keys for each in stages.values() for line in each.get(key, ()))
    )
    if not found:
        found = [line for stage in stages.values() for line in stage.get("summary", ())[:1]]
    return [format_sentence(line) for line in found[:MAX_CONCLUSIONS]]


def _part(part: str, stages: Mapping[str, Any], page: PageContext) -> dict[str, Any]:
    """The sections of all stages for one part; pictures and sounds come first."""
    order = sorted(stages, key=lambda name: (*RESULTS_ORDER, name).index(name))
    found = [section for name in order for section in _report_sections(stages[name], part, page)]
    found.sort(key=_rank)
    return {"name": part, "title": PARTS[part], "sections": found}


def _rank(section: Mapping[str, Any]) -> int:
    """The rank of a section in its part: pictures and sounds, then web pages, then all others."""
    if {"picture", "sound", "grid"} & {block.kind for block in section["blocks"]}:
        return 0
    return 1 if any(block.name.endswith(".html") for block in section["blocks"]) else 2


def _report_sections(stage: Mapping[str, Any], part: str, page: PageContext) -> list[dict[str, Any]]:
    """The sections of one stage for one part; a section with an unknown part is a detail."""
    chosen = [
        each for each in stage.get("sections", ())
        if (each.get("part") if each.get("part") in PARTS else DETAILS) == part
    ]  # fmt: skip
    shown = [(each, _report_section(each, stage, page)) for each in chosen]
    return [section for each, section in shown if section["blocks"] or not each.get("files")]


def _about(dataset: Mapping[str, Any]) -> str:
    """The path of the user, or the line about the data set without its advice on settings."""
    if dataset.get("path"):
        return str(dataset["path"])
    return re.split(r"[;(]", str(dataset.get("about") or ""))[0].strip()


def _stage_view(name: str, stage: Mapping[str, Any], page: PageContext) -> dict[str, Any]:
    return {
        "name": name,
        "title": TITLES.get(name, name.replace("_", " ").capitalize()),
        "seconds": format_duration(stage.get("seconds") or 0),
        "summary": [format_sentence(line) for line in stage.get("summary", ())],
        "kept": [(format_name(key), format_number(value)) for key, value in stage.get("kept", {}).items()],
        "rejected": sorted(
            ((str(reason), count) for reason, count in stage.get("rejected", {}).items()),
            key=lambda pair: (-pair[1], pair[0]),
        ),
        "sections": _report_sections(stage, DETAILS, page),
    }


def _files_by_record(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """The output files of all stages, by their names without a suffix."""
    found: dict[str, list[str]] = {}
    for stage in manifest.get("stages", {}).values():
        for name in stage.get("outputs", {}):
            found.setdefault(Path(name).stem, []).append(str(name))
    return found


def _report_section(
    section: Mapping[str, Any], stage: Mapping[str, Any], page: PageContext
) -> dict[str, Any]:
    shown = build_section(section, page)
    # A line of the summary is not repeated in a caption.
    for line in stage.get("summary", ()):
        shown["caption"] = shown["caption"].replace(str(line), "").lstrip(" .;")
    return shown


def _headlines(stages: Mapping[str, Any]) -> list[dict[str, str]]:
    """The headlines: value, label, the values of other groups, and a note if there is one."""
    figures = {name: stage.get("figures", {}) for name, stage in stages.items()}
    found = [
        {"value": format_number(figures[stage][key]), "label": label, "others": "", "note": ""}
        for stage, key, label in HEADLINES
        if figures.get(stage, {}).get(key) is not None
    ]
    results = {key: value for key, value in figures.get("postprocess", {}).items() if value is not None}
    notes = stages.get("postprocess", {}).get("notes", {})
    for key in sorted(results, key=lambda key: not key.startswith("best")):
        if _group_of_figure(key) is None and len(str(results[key])) < MAX_HEADLINE_CHARACTERS:
            others = ((name, results[other]) for other in results if (name := _group_of_figure(other, key)))
            found.append(
                {
                    "value": format_number(results[key]),
                    "label": format_name(key),
                    "others": "; ".join(f"{name}: {format_number(value)}" for name, value in others),
                    "note": str(notes.get(key, "")),
                }
            )
    return found[:MAX_HEADLINES]


def _group_of_figure(key: str, of: str | None = None) -> str | None:
    """Return the group of a figure of another group than the samples; with `of`, only of that metric."""
    base, comma, group = key.rpartition(", ")
    name = GROUP_SUFFIXES.get(comma + group) or (group if comma and group.startswith("Markov") else None)
    return name if of is None or base == of else None


def _reproduction(stages: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    titled = [(TITLES.get(name, name), stage) for name, stage in stages.items()]
    return {
        "settings": list(_flat(manifest.get("config", {}))),
        "environment": [
            ("sequence-pipeline", str(manifest.get("version", ""))),
            *((str(name), str(value)) for name, value in manifest.get("environment", {}).items()),
        ],
        "seeds": [(title, _seed(stage)) for title, stage in titled],
        "figures": [
            (title, format_name(key), "–" if value is None else format_number(value))
            for title, stage in titled
            for key, value in stage.get("figures", {}).items()
        ],
        "files": [
            (title, kind, path, digest)
            for title, stage in titled
            for kind in ("input", "output")
            for path, digest in stage.get(f"{kind}s", {}).items()
        ],
    }


def _commands(manifest: Mapping[str, Any], page: PageContext) -> dict[str, Sequence[str]]:
    """The arguments of the commands that repeat and continue the run, by label."""
    run = f"run={_from_here(page.run_dir)}"
    return {
        "Repeat this run": [str(each) for each in manifest.get("overrides", ())],
        "Continue it: new samples from the same model": [
            run, "stages=[sample,postprocess,report]", "sample.temperature=0.7"
        ],
    }  # fmt: skip


def _command_lines(commands: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Labels, and commands that can be pasted into a shell."""
    return [(label, shlex.join(["python", "-m", "pipeline", *words])) for label, words in commands.items()]


def _flat(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and values of nested settings."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, node if isinstance(node, str) else json.dumps(node, ensure_ascii=False, default=str)


def _seed(stage: Mapping[str, Any]) -> str:
    seed = stage.get("seed")
    return "no random choices" if seed is None else str(seed)


def _from_here(folder: Path) -> str:
    """Return a path as a user would type it: relative where it is below the working folder."""
    below = os.path.relpath(folder)
    return str(folder) if below.startswith(os.pardir) else below
