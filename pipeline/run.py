"""One run: check the whole configuration, bind it to the stages, and bring the stages up to date in order."""

import io
import logging
import sys
from pathlib import Path

import yaml
from omegaconf import DictConfig

from pipeline.config.build import build, plain_settings
from pipeline.config.checks import parse_duration
from pipeline.config.composition import find_added_groups, typed_settings
from pipeline.config.overrides import sign
from pipeline.config.schema import Config, check_stages
from pipeline.data.corpus import Corpus
from pipeline.data.sources import Source, checkpoint_path, locate
from pipeline.domain import Domain, Render
from pipeline.errors import ConfigError
from pipeline.generation.attributes import AttributeStatistics
from pipeline.generation.constrained.constraints import build_constraints
from pipeline.generation.prompts import parse_primes
from pipeline.generation.sampling_run import resolve_accelerator
from pipeline.models.checkpoint import load
from pipeline.report.page import write_report
from pipeline.run_folder.folder import LOG, REPORT, RunFolder
from pipeline.runtime.files import append
from pipeline.runtime.folders import resource_folder
from pipeline.runtime.terminal import PrintableFormatter
from pipeline.stages.ingest import build_ingest
from pipeline.stages.postprocess import build_postprocess
from pipeline.stages.run_inputs import RunInputs
from pipeline.stages.sample import build_sample
from pipeline.stages.score import build_score, files_to_score
from pipeline.stages.train import build_train
from pipeline.stages.warmup import BackgroundWarmup
from pipeline.training.inputs import resolve_device

log = logging.getLogger(__name__)

BUILDERS = (build_ingest, build_train, build_sample, build_postprocess, build_score)
"""The builders of the stages, in the order in which the stages run."""


def run(
    config: DictConfig,
    folder: Path,
    overrides: list[str],
    sweep: Path | None = None,
    warmup: BackgroundWarmup | None = None,
) -> float | None:
    """Run the chosen stages in `folder`.

    All settings are checked before the first stage starts. Jobs with the same `sweep` folder share equal
    stages. The stage `sample` waits for `warmup`, which compiles in the background. Returns the bits per
    symbol on the validation split, if the run has a model.
    """
    inputs = build_run_inputs(config, folder.resolve(), overrides)
    settings, run_folder = inputs.settings, RunFolder(folder)
    wanted = check_stages(settings.stages)
    with run_folder.locked():
        kept = [each for each in overrides if not each.startswith(("run=", "stages="))]
        recorded = {"dataset": settings.dataset.name, "overrides": kept, "signature": sign(kept)}
        continuing = settings.run is not None or (sweep is not None and run_folder.has_overrides(kept))
        run_folder.open({**recorded, "config": inputs.plain}, continuing)
        _start_logging(folder)
        log.info("%s", run_folder.path)
        try:
            for stage in [builder(inputs) for builder in BUILDERS]:
                if stage.name not in wanted:
                    continue
                if stage.name == "train":
                    _check_primes_before_training(inputs)
                if stage.name == "sample" and warmup is not None:
                    warmup.wait()
                run_folder.run(stage, _donors(settings, sweep))
        except ConfigError:
            run_folder.restore_settings()
            raise
        run_folder.forget_stale()
        if "report" in wanted:
            write_report(run_folder.manifest, run_folder.path, run_folder / REPORT)
        _log_summary(run_folder)
        return run_folder.manifest["stages"].get("train", {}).get("figures", {}).get("validation_bits")


def build_run_inputs(config: DictConfig, folder: Path, overrides: list[str]) -> RunInputs:
    """Build and check everything that the configuration names; raise ConfigError or DataError for a
    mistake."""
    domain, renders = build_domain(config), build_renders(config)
    if config.sample.length is None:
        config.sample.length = domain.sample_length
    settings = typed_settings(config)
    wanted = check_stages(settings.stages)
    build(config.model, "model", package="pipeline.models")
    _check_later_stages(settings, domain, wanted)
    files = _corpus_files(settings, domain) if "ingest" in wanted else []
    scored_domain = domain.to_score() if "score" in wanted else domain
    return RunInputs(
        settings=settings,
        plain=plain_settings(config),
        explicit=explicit_settings(overrides),
        folder=folder,
        domain=domain,
        renders=renders,
        files=files,
        scored_domain=scored_domain,
        scored_files=files_to_score(settings.score, scored_domain) if "score" in wanted else [],
    )


def build_domain(config: DictConfig) -> Domain:
    """Build the domain; raise ConfigError where the configuration names none."""
    domain = build(config.domain, "domain")
    if not isinstance(domain, Domain):
        names = ", ".join(sorted(path.stem for path in (resource_folder("conf") / "domain").glob("*.yaml")))
        raise ConfigError(f"domain: the configuration names none; choose one of {names}")
    return domain


def build_renders(config: DictConfig) -> tuple[Render, ...]:
    """Build the renders; raise ConfigError where one cannot read the records of the domain."""
    domain, renders = build_domain(config), []
    for name in ("render", *find_added_groups(config)):
        render = build(config[name], name)
        if render is not None and render.family != domain.family:
            raise ConfigError(
                f"{name}: this one is for {render.family}, but the data set is {domain.family}; "
                f"leave {name} out, or set {name}=none"
            )
        renders += [render] if render is not None else []
    return tuple(renders)


def explicit_settings(overrides: list[str]) -> tuple[str, ...]:
    """Return the names of the settings of model and training that the user gave, also by an experiment."""
    given: dict[str, str] = {}
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        given[key] = value
    keys = set(given)
    if name := given.get("experiment"):
        content = yaml.safe_load((resource_folder("conf") / "experiment" / f"{name}.yaml").read_text("utf-8"))
        keys |= {f"{group}.{key}" for group in ("model", "train") for key in content.get(group, {})}
    return tuple(sorted(key for key in keys if key.startswith(("model.", "train."))))


def _check_later_stages(settings: Config, domain: Domain, wanted: tuple[str, ...]) -> None:
    """Raise before the first stage starts all errors that later stages would raise."""
    if settings.budget is not None:
        parse_duration(settings.budget)
    if "sample" in wanted:
        parse_primes(domain, settings.sample)
        build_constraints(settings.sample.constraints)
    if {"sample", "score"} & {*wanted}:
        resolve_accelerator(settings.sample)
    if "train" in wanted:
        resolve_device(settings.train)
        for name, given in (
            ("checkpoint", settings.checkpoint),
            ("train.init_from", settings.train.init_from),
        ):
            if path := checkpoint_path(name, given, settings.dataset):
                load(path)


def _check_primes_before_training(inputs: RunInputs) -> None:
    """Raise before the long stage the errors of the stage `sample` that need the alphabet of the corpus."""
    if "sample" in inputs.settings.stages and (inputs.folder / "ingest").is_dir():
        corpus = Corpus.open(inputs.folder / "ingest")
        parse_primes(inputs.domain, inputs.settings.sample, corpus.alphabet, corpus)
        inputs.domain.grammar(
            corpus.alphabet.symbols, AttributeStatistics.count(inputs.domain, corpus).counts
        )


def _donors(settings: Config, sweep: Path | None) -> list[Path]:
    """The folders from which a job of a sweep takes equal stages over: the other jobs, and the continued
    run."""
    if sweep is None:
        return []
    return [*sorted(sweep.iterdir()), *([Path(settings.run).expanduser()] if settings.run else [])]


def _corpus_files(settings: Config, domain: Domain) -> list[Path]:
    """The files of the corpus; raises ConfigError where no source is given or known."""
    dataset = settings.dataset
    if dataset.path is not None:
        return locate(dataset.path, [], domain.accepts_file)
    if dataset.source is None:
        raise ConfigError(f"dataset={dataset.name} reads files of yours: dataset.path=FILE, FOLDER or 'GLOB'")
    if not dataset.sources:
        raise ConfigError(
            f"dataset.source={dataset.source!r}: dataset={dataset.name} has no sources; "
            "leave dataset.source out, and set dataset.path=FILE, FOLDER or 'GLOB'"
        )
    if dataset.source not in dataset.sources:
        names = ", ".join(dataset.sources)
        raise ConfigError(f"dataset.source={dataset.source!r} is not one of {names}; or set dataset.path")
    entries = [Source(**entry) for entry in dataset.sources[dataset.source]]
    return locate(None, entries, domain.accepts_file)


def _log_summary(folder: RunFolder) -> None:
    """Log the summaries of all stages, warnings first, and the path of the report."""
    log.info("")
    stages = folder.manifest["stages"].values()
    warnings = [line for stage in stages for line in stage.get("warnings", ())]
    for line in dict.fromkeys([*warnings, *(line for stage in stages for line in stage["summary"])]):
        log.info("%s", line)
    report = folder / REPORT
    log.info("%s", f"report: {report}" if report.exists() else f"run folder: {folder.path}")


def _start_logging(folder: Path) -> None:
    """Log to standard output and, with times, to the run folder."""
    screen = logging.StreamHandler(sys.stdout)
    screen.setFormatter(PrintableFormatter("%(message)s"))
    file = logging.StreamHandler(io.TextIOWrapper(append(folder / LOG), "utf-8", "backslashreplace"))
    file.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # on a full disk, the stage that writes raises one error
    ours = logging.getLogger("pipeline")
    for handler in ours.handlers:
        handler.close()
    ours.handlers = [screen, file]
    ours.propagate = False
    ours.setLevel(logging.INFO)
