"""The package says what it imports."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def imported_modules() -> dict[str, str]:
    """Every module from outside that the package imports, with a file that does."""
    found = {}
    for path in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found |= {name.split(".")[0]: path.name for name in names}
    return {name: path for name, path in found.items() if name not in {*sys.stdlib_module_names, "pipeline"}}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_whatever_is_imported_is_declared():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {normal(re.split(r"[^\w.-]", each, maxsplit=1)[0]) for each in declared}
    provided = packages_distributions()
    missing = {
        module: path
        for module, path in imported_modules().items()
        if not names & {normal(each) for each in provided.get(module, [module])}
    }
    assert missing == {}
