"""The code of the how-to pages, run in its smallest form."""

import random
import re
import sys

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from pages import blocks, commands, page
from tiny import TINY, compose_config, load_manifest

import pipeline.domains
import pipeline.models
from pipeline.generation.constrained import constraints
from pipeline.run import run


def save_module(name: str, package, monkeypatch, folder) -> dict:
    """Save the Python code of a page where the page says; what its first YAML file names."""
    source, *_ = blocks(page(name), "python")
    settings = yaml.safe_load(blocks(page(name), "yaml")[0])
    module = settings["_target_"].rsplit(".", 1)[0]
    (folder / f"{module.rsplit('.', 1)[1]}.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, module, raising=False)
    return settings


def run_with(group: str, settings: dict, folder, *overrides: str) -> dict:
    """A run whose node `group` is that of a new file of conf/."""
    config = compose_config(*overrides, *TINY)
    OmegaConf.set_struct(config, False)
    OmegaConf.update(config, group, settings, merge=False)
    run(config, folder, list(overrides), None)
    return load_manifest(folder)


def test_add_a_domain(tmp_path, monkeypatch):
    settings = save_module("how-to/add-a-domain.md", pipeline.domains, monkeypatch, tmp_path)
    songs = tmp_path / "songs.txt"
    rng = random.Random(1)
    lines = [" ".join(rng.choices(("C", "F", "G7", "Am", "Dm7"), k=rng.randint(8, 16))) for _ in range(60)]
    songs.write_text("\n".join([*lines, "C"]) + "\n", encoding="utf-8")
    run_with("domain", settings, tmp_path / "run", "dataset=text", f"dataset.path={songs}")
    rejected = (tmp_path / "run" / "ingest" / "rejected.tsv").read_text()
    assert "too few chords" in rejected
    assert {*(tmp_path / "run" / "postprocess" / "songs.txt").read_text().split()} <= {
        *" ".join(lines).split()
    }


def test_add_a_render(tmp_path, monkeypatch, text_file):
    settings = save_module("how-to/add-a-render.md", pipeline.domains, monkeypatch, tmp_path)
    manifest = run_with("render", settings, tmp_path / "run", "dataset=text", f"dataset.path={text_file}")
    files = list((tmp_path / "run" / "postprocess" / "texts").glob("*.txt"))
    assert len(files) == manifest["stages"]["postprocess"]["kept"]["records"]


def test_add_a_model(tmp_path, monkeypatch, text_file):
    name = "how-to/add-a-model.md"
    settings = save_module(name, pipeline.models, monkeypatch, tmp_path)
    target = settings["_target_"].rsplit(".", 1)
    kind = getattr(__import__(target[0], fromlist=[target[1]]), target[1])
    model = kind(hidden_size=8).build(7)
    symbols = torch.arange(6)[None]
    whole, _ = model(symbols)
    first, state = model(symbols[:, :2])
    second, _ = model(symbols[:, 2:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    sizes = {**settings, "hidden_size": 8}
    run_with("model", sizes, tmp_path / "run", "dataset=text", f"dataset.path={text_file}")
    assert (tmp_path / "run" / "train" / "best.ckpt").is_file()


def test_add_a_constraint(tmp_path, monkeypatch, text_run):
    (source,) = blocks(page("how-to/add-a-constraint.md"), "python")
    scope = {"__name__": constraints.__name__}
    exec(source, scope)
    monkeypatch.setattr(constraints, "Homopolymer", scope["Homopolymer"], raising=False)
    monkeypatch.setattr(constraints, "KINDS", (*constraints.KINDS, "homopolymer"))
    samples = pipeline.generate(
        pipeline.load(text_run), count=5, length=60, constraints=[{"kind": "homopolymer", "at_most": 1}]
    )
    assert not any(re.search(r"(.)\1", sample.text) for sample in samples)


@pytest.mark.parametrize("name", ["how-to/sweeps.md", "how-to/resume-and-repeat.md", "how-to/gpu.md"])
def test_the_settings_of_these_pages_exist(name):
    for command in commands(page(name)):
        arguments = [each for each in command.split()[3:] if each != "-m" and not each.startswith("run=")]
        simple = [each.replace("'", "") for each in arguments if "," not in each and " " not in each]
        # Other launchers and sweepers of Hydra are packages of their own.
        simple = [each for each in simple if not each.startswith("hydra")]
        if any(each.startswith("dataset=") for each in simple):
            compose_config(*simple)
