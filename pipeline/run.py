"""One run: the configuration is built into stages, and the stages are brought up to date in order."""

import io
import logging
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import DictConfig

from pipeline.config.build import build, plain_settings
from pipeline.config.checks import parse_duration
from pipeline.config.composition import find_added_groups, typed_settings
from pipeline.config.overrides import sign
from pipeline.config.schema import Config, check_stages
from pipeline.data.corpus import Corpus
from pipeline.data.sources import Source, checkpoint_path, held_out_list_path, locate
from pipeline.data.split_file import resolve_split_files
from pipeline.domain import Domain, Render
from pipeline.errors import ConfigError, DataError
from pipeline.generation.attributes import Training
from pipeline.generation.compiled.warmup import BackgroundWarmup
from pipeline.generation.constrained.constraints import build_constraints
from pipeline.generation.prompts import held_out, parse_primes, prime_files
from pipeline.generation.requests import resolve_accelerator
from pipeline.models.checkpoint import load
from pipeline.report.page import write_report
from pipeline.run_folder import LOG, REPORT, RunFolder, Stage
from pipeline.runtime.files import append
from pipeline.runtime.folders import resource_folder
from pipeline.runtime.terminal import PrintableFormatter
from pipeline.stages.ingest import ingest
from pipeline.stages.postprocess import PostprocessInputs, postprocess
from pipeline.stages.sample import sample
from pipeline.stages.score import files_to_score, score
from pipeline.stages.train import train
from pipeline.training.inputs import TrainInputs, resolve_device

log = logging.getLogger(__name__)


class _Scored(NamedTuple):
    """What is scored: files, as this domain reads them, by files that its settings name."""

    domain: Domain
    files: list[Path]
    beside: list[Path]


def run(
    config: DictConfig, folder: Path, overrides: list[str], sweep: Path | None = None,
    ahead: BackgroundWarmup | None = None,
) -> None:  # fmt: skip
    """Run the stages asked for in `folder`; jobs of one `sweep` folder share equal stages. What is compiled
    `ahead` is waited for before it is needed.

    Everything in the configuration is checked before the first stage begins.
    """
    domain, renders = _domain(config), _renders(config)
    if config.sample.length is None:
        config.sample.length = domain.sample_length
    settings = typed_settings(config)
    wanted = check_stages(settings.stages)
    build(config.model, "model", package="pipeline.models")
    _check_ahead(settings, domain, wanted)
    files = _files(settings, domain) if "ingest" in wanted else []
    scored = _scored(settings, domain) if "score" in wanted else _Scored(domain, [], [])
    run_folder = RunFolder(folder)
    with run_folder.locked():
        kept = [o for o in overrides if not o.startswith(("run=", "stages="))]
        plain = plain_settings(config)
        run_folder.open(
            {"dataset": settings.dataset.name, "overrides": kept, "signature": sign(kept), "config": plain},
            going_on=settings.run is not None,
        )
        _start_logging(folder)
        log.info("%s", run_folder.path)
        try:
            explicit = _explicit(overrides)
            for stage in _stages(settings, plain, explicit, files, scored, domain, renders, run_folder):
                if stage.name in wanted:
                    _check_prime_before(stage, settings, domain, run_folder)
                    if stage.name == "sample" and ahead is not None:
                        ahead.wait()
                    run_folder.run(stage, _donors(settings, sweep))
        except ConfigError:
            run_folder.remember_as_before()
            raise
        run_folder.forget_stale()
        if "report" in wanted:
            write_report(run_folder.manifest, run_folder.path, run_folder / REPORT)
        _say_what_was_made(run_folder)


def _check_ahead(settings: Config, domain: Domain, wanted: tuple[str, ...]) -> None:
    """What later stages would refuse, before the first one begins."""
    if settings.budget is not None:
        parse_duration(settings.budget)
    if "sample" in wanted:
        parse_primes(domain, settings.sample)
        build_constraints(settings.sample.constraints)
    if {"sample", "score"} & {*wanted}:
        resolve_accelerator(settings.sample)
    if "train" in wanted:
        resolve_device(settings.train)
    if "train" in wanted:
        for name, given in (
            ("checkpoint", settings.checkpoint),
            ("train.init_from", settings.train.init_from),
        ):
            if path := checkpoint_path(name, given, settings.dataset):
                load(path)


def _check_prime_before(stage: Stage, settings: Config, domain: Domain, folder: RunFolder) -> None:
    """Before the long stage, what would only be found after it."""
    if stage.name == "train" and "sample" in settings.stages and (folder / "ingest").is_dir():
        corpus = Corpus.open(folder / "ingest")
        parse_primes(domain, settings.sample, corpus.alphabet, corpus)
        domain.grammar(corpus.alphabet.symbols, Training.of(domain, corpus).counts)


def _donors(settings: Config, sweep: Path | None) -> list[Path]:
    """Folders whose equal stages a job of a sweep takes over: the other jobs', and the run gone on with."""
    if sweep is None:
        return []
    return [*sorted(sweep.iterdir()), *([Path(settings.run).expanduser()] if settings.run else [])]


def _scored(settings: Config, domain: Domain) -> _Scored:
    """The sequences to score, and the domain that reads them."""
    reader = domain.to_score()
    return _Scored(reader, files_to_score(settings.score, reader), list(reader.auxiliary_files()))


def _domain(config: DictConfig) -> Domain:
    domain = build(config.domain, "domain")
    if not isinstance(domain, Domain):
        names = ", ".join(sorted(path.stem for path in (resource_folder("conf") / "domain").glob("*.yaml")))
        raise ConfigError(f"domain: the configuration names none; choose one of {names}")
    return domain


def _renders(config: DictConfig) -> tuple[Render, ...]:
    domain, renders = _domain(config), []
    for name in ("render", *find_added_groups(config)):
        render = build(config[name], name)
        if render is not None and render.family != domain.family:
            raise ConfigError(
                f"{name}: this one is for {render.family}, but the data set is {domain.family}; "
                f"leave {name} out, or set {name}=none"
            )
        renders += [render] if render is not None else []
    return tuple(renders)


def _stages(
    settings: Config,
    plain: Mapping[str, Any],
    explicit: tuple[str, ...],
    files: list[Path],
    scored: _Scored,
    domain: Domain,
    renders: tuple[Render, ...],
    folder: RunFolder,
) -> list[Stage]:
    """The stages with their settings bound."""
    seed, dataset = settings.seed, settings.dataset
    budget_s = parse_duration(settings.budget) if settings.budget is not None else None
    checkpoint = checkpoint_path("checkpoint", settings.checkpoint, settings.dataset)
    start = checkpoint_path("train.init_from", settings.train.init_from, settings.dataset)
    written_by = {name: value for name, value in plain["domain"].items() if name not in domain.score_settings}
    drawn_by = {name: value for name, value in written_by.items() if name not in domain.output_settings}
    read_by = {name: value for name, value in drawn_by.items() if name not in domain.request_settings}
    reads = {"domain": read_by, "seed": seed}
    held_out_list = held_out_list_path(dataset)
    data = {name: plain["dataset"][name] for name in ("path", "source", "unknown", "split")}
    best = folder / "train" / "best.ckpt"

    def corpus() -> Corpus:
        return Corpus.open(folder / "ingest")

    def do_ingest(out_dir: Path):  # noqa: ANN202
        try:
            result = ingest(files, domain, dataset.split, dataset.unknown, out_dir, held_out_list)
        except DataError as error:
            if dataset.advice is None or dataset.path is not None:
                raise
            raise DataError(f"{error}; {dataset.advice}") from None
        shipped = dataset.title if dataset.path is None else None
        title = {"data": shipped or domain.title_data(files)}
        return replace(result, figures={**title, **result.figures})

    def do_train(out_dir: Path):  # noqa: ANN202
        inputs = TrainInputs(
            corpus(), domain, plain["model"], settings.train, budget_s, checkpoint, seed, explicit, start
        )
        return train(inputs, out_dir)

    def do_sample(out_dir: Path):  # noqa: ANN202
        known = corpus() if (folder / "ingest").is_dir() else None
        return sample(best, domain, settings.sample, seed, out_dir, known)

    def do_postprocess(out_dir: Path):  # noqa: ANN202
        raw = folder / "sample" / "samples.jsonl"
        inputs = PostprocessInputs(corpus(), best, raw, domain, settings.sample, renders, seed)
        return postprocess(inputs, out_dir)

    def do_score(out_dir: Path):  # noqa: ANN202
        where = resolve_accelerator(settings.sample)
        context = settings.score.context if scored.domain.reads_parts else 0
        return score(best, scored.domain, scored.files, dataset.unknown, out_dir, where, context)

    # Where and on how many threads it is trained changes how fast, not what.
    machine = ("threads", "accelerator")
    training = {name: value for name, value in plain["train"].items() if name not in machine}
    learned = {"model": plain["model"], "train": training, "budget": settings.budget}
    if settings.budget is not None:
        learned["explicit"] = explicit
    drawn = {"sample": plain["sample"], "domain": drawn_by, "seed": seed}
    written = {name: plain[name] for name in ("sample", "render", *find_added_groups(plain))}
    written |= {"domain": written_by, "seed": seed}
    outside = [path for path in (checkpoint, start) if path]
    # A file of primes may be named and be missing where no samples are drawn.
    primed = prime_files(settings.sample) if "sample" in settings.stages else []
    from_corpus = held_out(settings.sample) or bool(domain.requested)
    source = ("ingest", "train") if from_corpus else ("train",)
    parts = {name: plain["domain"].get(name) for name in domain.score_settings}
    asked = {"unknown": dataset.unknown, **reads, **parts}
    asked["context"] = settings.score.context
    listed = [held_out_list] if held_out_list is not None else []
    read = [*files, *domain.auxiliary_files(), *resolve_split_files(dataset.split), *listed] if files else []
    return [
        Stage("ingest", {"dataset": data, "domain": read_by}, do_ingest, inputs=read),
        Stage("train", {**learned, "seed": seed}, do_train, ("ingest",), outside, keeps_partial=True),
        Stage("sample", drawn, do_sample, source, primed, keeps_partial=True),
        Stage("postprocess", written, do_postprocess, ("ingest", "train", "sample")),
        Stage("score", asked, do_score, ("train",), [*scored.files, *scored.beside]),
    ]


def _explicit(overrides: list[str]) -> tuple[str, ...]:
    """Settings of the model and its training that the user gave, also by an experiment."""
    given = dict(override.lstrip("+~").partition("=")[::2] for override in overrides)
    keys = set(given)
    if name := given.get("experiment"):
        content = yaml.safe_load((resource_folder("conf") / "experiment" / f"{name}.yaml").read_text("utf-8"))
        keys |= {f"{group}.{key}" for group in ("model", "train") for key in content.get(group, {})}
    return tuple(sorted(key for key in keys if key.startswith(("model.", "train."))))


def _files(settings: Config, domain: Domain) -> list[Path]:
    dataset = settings.dataset
    if dataset.path is None and dataset.source is None:
        raise ConfigError(f"dataset={dataset.name} reads files of yours: dataset.path=FILE, FOLDER or 'GLOB'")
    if dataset.path is None and dataset.source not in dataset.sources:
        names = ", ".join(dataset.sources) or "none"
        raise ConfigError(f"dataset.source={dataset.source!r} is not one of {names}; or set dataset.path")
    entries = [Source(**entry) for entry in dataset.sources[dataset.source]] if dataset.path is None else []
    return locate(dataset.path, entries, domain.accepts_file)


def _say_what_was_made(folder: RunFolder) -> None:
    log.info("")
    stages = folder.manifest["stages"].values()
    warnings = [line for stage in stages for line in stage.get("warnings", ())]
    for line in dict.fromkeys([*warnings, *(line for stage in stages for line in stage["summary"])]):
        log.info("%s", line)
    report = folder / REPORT
    log.info("%s", f"report: {report}" if report.exists() else f"run folder: {folder.path}")


def _start_logging(folder: Path) -> None:
    """Lines for people on standard output, the same with times in the run folder."""
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(PrintableFormatter("%(message)s"))
    file = logging.StreamHandler(io.TextIOWrapper(append(folder / LOG), "utf-8", "backslashreplace"))
    file.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # a full disk is told by the stage that meets it, once
    ours = logging.getLogger("pipeline")
    for handler in ours.handlers:
        handler.close()
    ours.handlers = [screen, file]
    ours.propagate = False
    ours.setLevel(logging.INFO)
