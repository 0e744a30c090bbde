from dataclasses import fields

import pytest
import yaml
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tiny import compose_config, run_pipeline

from pipeline.__main__ import _known_keys, _reject_undeclared
from pipeline.config.build import build, find_target
from pipeline.config.checks import parse_duration
from pipeline.config.composition import typed_settings
from pipeline.config.schema import (
    STAGES,
    Config,
    DatasetSettings,
    SampleSettings,
    TrainSettings,
    check_stages,
)
from pipeline.config.unknown_keys import RENAMED, describe_unknown_key
from pipeline.domain import Domain, Render
from pipeline.errors import ConfigError
from pipeline.models.recurrent import Recurrent
from pipeline.run import build_renders
from pipeline.runtime.folders import resource_folder

CONF = resource_folder("conf")


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


FAMILY = {"Nucleotide": "genome", "Protein": "protein", "Text": "text", "Abc": "music",
          "Chorales": "music", "Midi": "music", "Performance": "music",
          "Piano": "music"}  # fmt: skip

# --- every file of conf/ ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dataset", names("dataset"))
def test_every_data_set_composes_and_builds(dataset):
    config = compose_config(f"dataset={dataset}")
    settings = typed_settings(config)
    assert settings.dataset.name == dataset
    assert settings.dataset.about
    assert settings.dataset.source is None or settings.dataset.source in settings.dataset.sources
    assert isinstance(build(config.domain, "domain"), Domain)
    assert isinstance(build(config.model, "model", package="pipeline.models"), Recurrent)


@pytest.mark.parametrize("group", ["render", "blast"])
@pytest.mark.parametrize("dataset", names("dataset"))
def test_a_data_set_goes_with_the_renders_of_its_family_and_no_others(dataset, group):
    for name in names(group):
        address = ["blast.email=me@example.org"] if name in ("ncbi", "ebi") else []
        brings = "blast" in compose_config(f"dataset={dataset}")
        others = ["render=none", *(["blast=none"] if brings else [])]
        added = "" if brings or group == "render" else "+"
        config = compose_config(f"dataset={dataset}", *others, f"{added}{group}={name}", *address)
        family = FAMILY[config.domain._target_.rsplit(".", 1)[-1]]
        wanted = "protein" if name == "protein" else {"render": "music", "blast": "genome"}[group]
        if name != "none" and family != wanted:
            with pytest.raises(ConfigError, match=f"but the data set is {family}; leave {group} out"):
                build_renders(config)
        else:
            assert [isinstance(each, Render) for each in build_renders(config)] == [True] * (name != "none")


@pytest.mark.parametrize("experiment", names("experiment"))
def test_every_experiment_composes_and_builds(experiment):
    header = (CONF / "experiment" / f"{experiment}.yaml").read_text()
    config = compose_config(f"experiment={experiment}", *data_set_of(experiment))
    typed_settings(config)
    assert build(config.model, "model", package="pipeline.models").build(40)
    assert header.startswith("# @package _global_")


def data_set_of(experiment: str) -> list[str]:
    """An experiment may name its data set itself."""
    defaults = yaml.safe_load((CONF / "experiment" / f"{experiment}.yaml").read_text()).get("defaults", [])
    named = any("override /dataset" in each for each in defaults if isinstance(each, dict))
    return [] if named else ["dataset=text"]


def test_the_experiments_of_the_origin_have_its_sizes():
    """About 181,000 parameters for the headlines, and 79,460 for the fly by the origin's count."""
    headlines = compose_config("experiment=lercio", *data_set_of("lercio"))
    model = build(headlines.model, "model").build(110)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(181_000, rel=0.2)
    fly = compose_config("experiment=drosophila", *data_set_of("drosophila"))
    assert (fly.model.cell, fly.model.hidden_size, fly.train.max_epochs) == ("lstm", 64, 250)
    assert compose_config("experiment=piano", *data_set_of("piano")).model.cell == "gru"


def test_the_page_shows_every_setting_with_its_default():
    """conf/config.yaml and the schema agree on what there is."""
    page = yaml.safe_load((CONF / "config.yaml").read_text())
    groups = {"dataset", "domain", "model", "train", "sample", "score", "render"}
    assert set(page) - {"defaults", "hydra"} == {f.name for f in fields(Config)} - groups
    assert "blast" not in (CONF / "config.yaml").read_text().lower()
    defaults = Config()
    for name in set(page) - {"defaults", "hydra"}:
        assert page[name] == getattr(defaults, name)


@pytest.mark.parametrize("group", ["model", "domain", "render", "blast"])
def test_every_file_of_a_group_shows_all_of_its_settings(group):
    for name in names(group):
        page = OmegaConf.load(CONF / group / f"{name}.yaml")
        # The page of a domain may pass on settings of the data set.
        whole = OmegaConf.create({"dataset": OmegaConf.structured(DatasetSettings), group: page})
        content = OmegaConf.to_container(whole[group], resolve=True)
        if content["_target_"] is not None:
            build({**content, "email": "me@example.org"} if "email" in content else content, group)
            kind = find_target(content["_target_"], group, "pipeline")
            assert {f.name for f in fields(kind)} | {"_target_"} == set(content), f"{group}/{name}.yaml"
            for field in fields(kind):
                if group != "model" and field.name != "email":
                    assert content[field.name] == field.default, field.name


# --- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sample.temperature=-0.1", "sample.temperature=-0.1 is out of range: at least 0 and at most 100"),
        ("sample.count=0", "sample.count=0 is out of range: at least 1"),
        ("sample.length=0", "sample.length=0 is out of range"),
        ("sample.top_k=0", "sample.top_k=0 is out of range"),
        ("sample.top_p=0", "sample.top_p=0.0 is out of range: above 0 and at most 1"),
        ("sample.top_p=1.1", "sample.top_p=1.1 is out of range"),
        ("train.lr=0", "train.lr=0.0 is out of range: above 0 and below 10"),
        ("train.max_epochs=0", "train.max_epochs=0 is out of range"),
        ("train.accelerator=tpu", "train.accelerator='tpu' is not one of auto, cpu, gpu, mps"),
        ("train.threads=0", "train.threads=0 is out of range"),
        ("dataset.split.test=0.5", "dataset.split.test=0.5 is out of range: above 0 and below 0.5"),
        ("dataset.split.by=tail", "dataset.split.by='tail' is not one of auto, records, blocks"),
        ("dataset.unknown=guess", "dataset.unknown='guess' is not one of error, drop, replace"),
        ("seed=-1", "seed=-1 is out of range"),
        ("seed=5000000000", "seed=5000000000 is out of range"),
        ("budget=soon", "budget='soon' is not a time above zero; write for example 90s, 10m or 2h"),
        ("budget=0", "budget='0' is not a time above zero"),
        ("stages=[ingest,trane]", "stages='trane' is not one of ingest, train, sample"),
        ("stages=[]", "stages=[] names none; choose from ingest, train"),
        ("model.cell=tcn", "model.cell='tcn' is not one of rnn, lstm, gru"),
        ("model.dropout=1", "model.dropout=1.0 is not at least 0 and below 1"),
        ("domain.records=word", "domain.records='word' is not one of line, paragraph, file"),
        ("render=midi", "render: this one is for music, but the data set is text; leave render out"),
        ("+blast=local", "blast: this one is for genome, but the data set is text; leave blast out"),
        ("checkpoint=nowhere.ckpt", "nowhere.ckpt: no such checkpoint"),
        ("domain._target_=os.system", "domain._target_='os.system' names no class of this program"),
    ],
)
def test_a_value_out_of_range_is_told_before_anything_is_made(text_file, tmp_path, override, message):
    with pytest.raises(Exception) as caught:
        run_pipeline(tmp_path / "run", "dataset=text", f"dataset.path={text_file}", override)
    assert type(caught.value).__name__ in ("ConfigError", "DataError")
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "override",
    [
        "sample.count=many",
        "train.lr=[1]",
        "seed=1.5",
        "dataset.split=3",
        "stages=ingest",
        "train.batch_size=null",
    ],
)
def test_a_value_of_the_wrong_type_does_not_compose(override):
    with pytest.raises((HydraException, OmegaConfBaseException)):
        compose_config("dataset=text", override)


def test_a_value_of_the_wrong_type_in_a_built_object():
    with pytest.raises(ConfigError, match=r"model\.hidden_size: Value 'big' .* could not be converted"):
        build({"_target_": "pipeline.models.recurrent.Recurrent", "hidden_size": "big"}, "model")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("render.transpose", "domain.transpose"),
        ("sample.bars", "sample.length"),
        ("domain.form", "domain.dance"),
        ("sample.prompt", "sample.prime"),
    ],
)
def test_other_names_of_settings_lead_to_them(key, meant):
    known = ["domain.dance", "domain.transpose", "sample.beam", "sample.length", "sample.prime"]
    assert describe_unknown_key(key, known) == f"{key}: there is no such setting; did you mean {meant}?"
    assert meant not in describe_unknown_key(key, [name for name in known if name != meant])


@pytest.mark.parametrize(("earlier", "present"), RENAMED.items())
def test_a_renamed_setting_leads_to_its_present_name(earlier, present):
    assert present in _known_keys()
    with pytest.raises(
        ConfigError, match=f"^{earlier}: there is no such setting; it is now named {present}$"
    ):
        _reject_undeclared([f"{earlier}=1"])


def test_an_unknown_key_of_a_built_object_names_the_nearest():
    with pytest.raises(ConfigError, match=r"model\.hiden_size: .* did you mean model\.hidden_size"):
        build({"_target_": "pipeline.models.recurrent.Recurrent", "hiden_size": 3}, "model")


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "pipeline.run.run",
        "pipeline.run_folder.folder.RunFolder",
        "pipeline.nothing.X",
        "pipeline..x",
        "x",
    ],
)
def test_only_our_own_kinds_can_be_built(target):
    with pytest.raises(ConfigError, match="names no class of this program"):
        build({"_target_": target}, "model")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 m ", 120)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-5s", "0m", "5d", "1m30s", "1e3", "٣s s"])
def test_what_is_no_duration(text):
    with pytest.raises(ConfigError, match="is not a time above zero"):
        parse_duration(text)


def test_stages_come_in_their_order():
    assert check_stages(["report", "ingest", "report"]) == ("ingest", "report")
    assert check_stages(STAGES) == STAGES


def test_the_nearest_key_is_named():
    assert "did you mean train.lr" in describe_unknown_key("train.rl", ["train.lr", "seed"])
    assert "did you mean sample.temperature" in describe_unknown_key(
        "temperature", ["sample.temperature", "seed"]
    )
    assert "see --help" in describe_unknown_key("xyzzy", ["sample.temperature", "seed"])


def test_defaults_are_in_range():
    TrainSettings()
    assert SampleSettings().temperature == 1.0
