"""The last stage: one page that shows a run, opens offline, and makes no request.

It reads only the manifest and the files that the manifest names, and knows no domain. Files become blocks
in `blocks.py`; the page itself is `page.html.jinja`. Everything that comes from data
is escaped there, and a content security policy forbids the page to load or send anything.
"""

import base64
import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.records import DETAILS, QUALITY, RESULTS
from pipeline.report.blocks import Page, show
from pipeline.runtime.files import write_atomically

TITLES = {
    "ingest": "Data", "train": "Training", "sample": "Sampling", "postprocess": "Postprocessing",
    "score": "Scored sequences",
}  # fmt: skip
PARTS = {RESULTS: "What was generated", QUALITY: "How good it is"}
"""The sections that a report opens with; the other sections stand in the sections of their stages."""
RESULTS_ORDER = ("sample", "postprocess", "score", "ingest", "train")
"""The stages whose results come first."""
MAX_CONCLUSIONS = 5
HEADLINES = (
    ("train", "test_bits", "bits per symbol on the test split"),
    ("train", "markov_bits", "bits of the best Markov model"),
    ("train", "parameters", "parameters"),
    ("ingest", "symbols", "symbols in the corpus"),
)
"""Figures that every run has; they open the strip."""
MAX_HEADLINES = 8
MAX_HEADLINE_CHARACTERS = 24
OF_OTHERS = {", real": "real data", ", held-out real": "held-out real", ", shuffled": "shuffled"}
"""A result's name with such an ending is the same measure of other sequences; so is one with ", Markov …"."""
TEMPLATE_DIR = Path(__file__).parent


def write_report(manifest: Mapping[str, Any], run_dir: Path, path: Path) -> Path:
    """Write the report of a run as one HTML file at `path`.

    A file that the manifest names and that is gone is shown as missing. Raises OSError where `path`
    cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    style, script = ((TEMPLATE_DIR / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    text = environment.get_template("page.html.jinja").render(
        **_contents(manifest, Page(run_dir, path.parent, made=_made(manifest))),
        policy=content_policy(style, script), style=Markup(style), script=Markup(script),
    )  # fmt: skip
    write_atomically(path, text)
    return path


def content_policy(style: str, script: str) -> str:
    """For a page: only what is in it may be used, and of scripts and styles only these, by their hashes."""

    def allow(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        "default-src 'none'; img-src data:; media-src data:; "
        f"style-src {allow(style)}; script-src {allow(script)}; base-uri 'none'; form-action 'none'"
    )


def _contents(manifest: Mapping[str, Any], page: Page) -> dict[str, Any]:
    stages = {name: stage for name, stage in manifest.get("stages", {}).items() if name != "report"}
    config = manifest.get("config", {})
    dataset = config.get("dataset") if isinstance(config.get("dataset"), Mapping) else {}
    return {
        "title": _title(manifest, stages),
        "about": _about(dataset),
        "created": _when(str(manifest.get("created", ""))),
        "version": str(manifest.get("version", "")),
        "conclusions": _conclusions(stages),
        "headlines": _headlines(stages),
        "parts": [_part(name, stages, page) for name in PARTS],
        "stages": [_stage_view(name, stage, page) for name, stage in stages.items()],
        "seconds": _duration(sum(stage.get("seconds") or 0 for stage in stages.values())),
        **_reproduction(manifest, stages, page),
    }


def _title(manifest: Mapping[str, Any], stages: Mapping[str, Any]) -> str:
    """What the data is called; the data set's name where a manifest does not say."""
    named = stages.get("ingest", {}).get("figures", {}).get("data")
    return str(named or manifest.get("dataset", "run"))


def _conclusions(stages: Mapping[str, Any]) -> list[str]:
    """At most `MAX_CONCLUSIONS` sentences on how good the run is, warnings first; of each stage the first
    line where none of them says."""
    keys = ("warnings", "conclusions")
    found = list(
        dict.fromkeys(line for key in keys for each in stages.values() for line in each.get(key, ()))
    )
    if not found:
        found = [line for stage in stages.values() for line in stage.get("summary", ())[:1]]
    return [_sentence(line) for line in found[:MAX_CONCLUSIONS]]


def _part(part: str, stages: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """The sections of all stages for one opening section; pictures and sounds come first."""
    order = [name for name in RESULTS_ORDER if name in stages]
    found = [section for name in order for section in _report_sections(stages[name], part, page)]
    found.sort(key=_opens)
    return {"name": part, "title": PARTS[part], "sections": found}


def _opens(section: Mapping[str, Any]) -> int:
    """The rank of an section in its part: pictures and sounds, then pages to open, then all else."""
    if {"picture", "sound", "sheet"} & {block.kind for block in section["blocks"]}:
        return 0
    return 1 if any(block.name.endswith(".html") for block in section["blocks"]) else 2


def _report_sections(stage: Mapping[str, Any], part: str, page: Page) -> list[dict[str, Any]]:
    """The sections of one stage for one part; one of an unknown part is a detail."""
    chosen = [
        each for each in stage.get("sections", ())
        if (each.get("part") if each.get("part") in PARTS else DETAILS) == part
    ]  # fmt: skip
    shown = [(each, _report_section(each, stage, page)) for each in chosen]
    return [section for each, section in shown if section["blocks"] or not each.get("files")]


def _about(dataset: Mapping[str, Any]) -> str:
    """What was learned from: the user's path, or the data set's line without its advice on settings."""
    if dataset.get("path"):
        return str(dataset["path"])
    return re.split(r"[;(]", str(dataset.get("about") or ""))[0].strip()


def _stage_view(name: str, stage: Mapping[str, Any], page: Page) -> dict[str, Any]:
    return {
        "name": name,
        "title": TITLES.get(name, name.replace("_", " ").capitalize()),
        "seconds": _duration(stage.get("seconds") or 0),
        "summary": [_sentence(line) for line in stage.get("summary", ())],
        "kept": [(_words(key), _number(value)) for key, value in stage.get("kept", {}).items()],
        "rejected": sorted(
            ((str(reason), count) for reason, count in stage.get("rejected", {}).items()),
            key=lambda pair: (-pair[1], pair[0]),
        ),
        "sections": _report_sections(stage, DETAILS, page),
    }


def _made(manifest: Mapping[str, Any]) -> dict[str, list[str]]:
    """The output files of all stages by their names without a suffix."""
    found: dict[str, list[str]] = {}
    for stage in manifest.get("stages", {}).values():
        for name in stage.get("outputs", {}):
            found.setdefault(Path(name).stem, []).append(str(name))
    return found


def _report_section(section: Mapping[str, Any], stage: Mapping[str, Any], page: Page) -> dict[str, Any]:
    shown = show(section, page)
    # What the section opens with need not be said again below a table.
    for line in stage.get("summary", ()):
        shown["caption"] = shown["caption"].replace(str(line), "").lstrip(" .;")
    return shown


def _headlines(stages: Mapping[str, Any]) -> list[dict[str, str]]:
    """The figures to see first: value, label, the values of other sequences, and a note if there is one."""
    figures = {name: stage.get("figures", {}) for name, stage in stages.items()}
    found = [
        {"value": _number(figures[stage][key]), "label": label, "others": "", "note": ""}
        for stage, key, label in HEADLINES
        if figures.get(stage, {}).get(key) is not None
    ]
    results = {key: value for key, value in figures.get("postprocess", {}).items() if value is not None}
    notes = stages.get("postprocess", {}).get("notes", {})
    for key in sorted(results, key=lambda key: not key.startswith("best")):
        if _name_of_others(key) is None and len(str(results[key])) < MAX_HEADLINE_CHARACTERS:
            others = ((name, results[other]) for other in results if (name := _name_of_others(other, key)))
            found.append(
                {
                    "value": _number(results[key]),
                    "label": _words(key),
                    "others": "; ".join(f"{name}: {_number(value)}" for name, value in others),
                    "note": str(notes.get(key, "")),
                }
            )
    return found[:MAX_HEADLINES]


def _name_of_others(key: str, of: str | None = None) -> str | None:
    """Whose value a figure is, where it is not the samples'; None also where it is not of the figure `of`."""
    base, comma, group = key.rpartition(", ")
    name = OF_OTHERS.get(comma + group) or (group if comma and group.startswith("Markov") else None)
    return name if of is None or base == of else None


def _reproduction(manifest: Mapping[str, Any], stages: Mapping[str, Any], page: Page) -> dict[str, Any]:
    titled = [(TITLES.get(name, name), stage) for name, stage in stages.items()]
    return {
        "commands": _commands(manifest, page),
        "settings": list(_flat(manifest.get("config", {}))),
        "environment": [
            ("sequence-pipeline", str(manifest.get("version", ""))),
            *((str(name), str(value)) for name, value in manifest.get("environment", {}).items()),
        ],
        "seeds": [(title, _seed(stage)) for title, stage in titled],
        "figures": [
            (title, _words(key), "–" if value is None else _number(value))
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


def _commands(manifest: Mapping[str, Any], page: Page) -> list[tuple[str, str]]:
    """What a line does, and the line as it can be pasted into a shell."""
    again = [str(each) for each in manifest.get("overrides", ())]
    run = f"run={_from_here(page.run_dir)}"
    further = [run, "stages=[sample,postprocess,report]", "sample.temperature=0.7"]
    lines = {"Make this run again": again, "Go on with it: new samples from the same model": further}
    return [(label, shlex.join(["python", "-m", "pipeline", *words])) for label, words in lines.items()]


def _flat(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and values of nested settings."""
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, node if isinstance(node, str) else json.dumps(node, ensure_ascii=False, default=str)


def _seed(stage: Mapping[str, Any]) -> str:
    seed = stage.get("seed")
    return "no random choices" if seed is None else str(seed)


def _from_here(folder: Path) -> str:
    """A path as it would be typed: short where the folder lies below the working folder."""
    below = os.path.relpath(folder)
    return str(folder) if below.startswith(os.pardir) else below


def _sentence(line: object) -> str:
    text = str(line).strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?:" else ".")


def _words(key: object) -> str:
    """The name of a figure as words: ``best_evalue`` as "best evalue"."""
    return str(key).replace("_", " ")


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) >= 1000):
        return f"{int(value):,}"
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 else f"{value:.3g}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _when(text: str) -> str:
    """An ISO time for people; unchanged where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()
