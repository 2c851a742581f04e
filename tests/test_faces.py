"""Every package's `dir()` is its API: the names of its stub, before and after modules are loaded."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tinyternary

ROOT = Path(tinyternary.__file__).parent
PACKAGES = {
    ".".join(("tinyternary", *stub.parent.relative_to(ROOT).parts)): stub
    for stub in sorted(ROOT.rglob("__init__.pyi"))
}

IN_A_FRESH_PROCESS = """
import importlib, io, json, pkgutil, pydoc, sys
name, wanted, origins, also = json.loads(sys.stdin.read())
package = importlib.import_module(name)

def visible():
    return [entry for entry in dir(package) if not entry.startswith("__")]

assert visible() == wanted, (visible(), wanted)
for module in also:
    importlib.import_module(module)
assert visible() == wanted, (visible(), wanted)
for entry, (module, attribute) in origins.items():
    value = getattr(package, entry)
    if attribute:  # a function called like its module is the function, whoever was first
        assert value is getattr(importlib.import_module(module, name), attribute), entry
text = pydoc.plain(pydoc.render_doc(package))
for entry in wanted:
    assert entry in text, f"help({name}) does not show {entry}"
"""


def stub_names(stub: Path) -> dict[str, tuple[str, str]]:
    """Name in the face -> (module that defines it, name there); ("", "") for a subpackage."""
    names = {}
    for node in ast.parse(stub.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = node.module is None
                names[alias.asname or alias.name] = (
                    ("", "") if whole else (f".{node.module}", alias.name)
                )
    return names


def test_the_parts_that_users_import_have_a_face() -> None:
    top = {name.partition(".")[2] for name in PACKAGES}
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders <= top
    assert all(stub_names(stub) for stub in PACKAGES.values())


@pytest.mark.parametrize("name", PACKAGES)
def test_dir_is_the_api_whatever_was_loaded(name: str) -> None:
    origins = stub_names(PACKAGES[name])
    folder = PACKAGES[name].parent
    modules = [
        ".".join(("tinyternary", *path.relative_to(ROOT).with_suffix("").parts))
        for path in sorted(folder.glob("*.py"))
        if not path.stem.startswith("__")
    ]
    given = json.dumps([name, sorted(origins), origins, modules])
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS], input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", PACKAGES)
def test_star_import_brings_the_api(name: str) -> None:
    space: dict[str, object] = {}
    exec(f"from {name} import *", space)
    assert set(stub_names(PACKAGES[name])) <= set(space)
