"""The fingerprint of machine code knows every file that its instructions depend on."""

import ast
import inspect
import random
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import tinyternary
from tinyternary.compiled import source_files
from tinyternary.kept_files import NotUsable

ROOT = Path(tinyternary.__file__).parent


def modules(path):
    """Files of the package that a file imports anywhere, as Python's own parser sees it."""
    for statement in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{path}: a relative import"
            module, names = statement.module or "", [alias.name for alias in statement.names]
        elif isinstance(statement, ast.Import):
            for alias in statement.names:  # its attributes would be anywhere
                assert not alias.name.startswith("tinyternary."), f"{path}: import {alias.name}"
            continue
        else:
            continue
        if module.split(".")[0] != "tinyternary":
            continue
        place = ROOT.joinpath(*module.split(".")[1:])
        for candidate in (place, place / "__init__", *(place / name for name in names)):
            if candidate.with_suffix(".py").is_file():
                yield candidate.with_suffix(".py")


def compiled_files():
    """Files in which something is compiled and kept; what `bench` compiles is not kept."""
    for path in sorted(ROOT.rglob("*.py")):
        if "compiled.switch import" in path.read_text("utf-8") and path.parent.name != "bench":
            yield path


COMPILED = [str(path.relative_to(ROOT)) for path in compiled_files()]


@pytest.mark.parametrize("name", COMPILED)
def test_everything_that_compiled_code_imports_is_reached(name):
    seen, waiting = set(), [ROOT / name]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(modules(path))
    assert source_files.reached(ROOT / name) == sorted(seen)


@pytest.mark.parametrize("name", COMPILED)
def test_nothing_that_compiled_code_uses_comes_through_a_face(name):
    """A name that a face finds lazily is in a file which following imports does not find."""
    for path in source_files.reached(ROOT / name):
        for statement in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(statement, ast.ImportFrom) or not statement.module:
                continue
            if statement.module.split(".")[0] != "tinyternary":
                continue
            place = ROOT.joinpath(*statement.module.split(".")[1:])
            if (place / "__init__.pyi").is_file():
                for alias in statement.names:
                    found = (place / f"{alias.name}.py").is_file() or (place / alias.name).is_dir()
                    assert found, (
                        f"{path}: {alias.name} comes through the face of {statement.module}"
                    )


@given(count=st.integers(2, 7), seed=st.integers(0, 2**32))
def test_editing_a_file_changes_the_fingerprints_of_those_that_reach_it(
    tmp_path_factory, count, seed
):
    root = tmp_path_factory.mktemp("package")
    drawn = random.Random(seed)
    edges = {i: {j for j in range(count) if j != i and drawn.random() < 0.3} for i in range(count)}
    styles = (
        "from tinyternary.m{} import f\n", "from tinyternary import m{} as other\n",
        "def g():\n    from tinyternary.m{} import (\n        f,  # why\n    )\n",
        "from tinyternary import (\n    m{} as other,\n)\n",
    )  # fmt: skip
    for i, targets in edges.items():
        lines = [drawn.choice(styles).format(j) for j in sorted(targets)]
        (root / f"m{i}.py").write_text("".join(lines) + "f = 0\n")

    def fingerprints():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(source_files, "_PACKAGE", root)
            for cached in (source_files.fingerprint, source_files._content, source_files._imported):
                cached.cache_clear()
            return [source_files.fingerprint(root / f"m{i}.py") for i in range(count)]

    before = fingerprints()
    edited = drawn.randrange(count)
    (root / f"m{edited}.py").write_text((root / f"m{edited}.py").read_text() + "f = 1\n")
    for start, (old, new) in enumerate(zip(before, fingerprints(), strict=True)):
        seen, waiting = set(), [start]
        while waiting:
            i = waiting.pop()
            if i not in seen:
                seen.add(i)
                waiting.extend(edges[i])
        assert (old != new) == (edited in seen)
    for cached in (source_files.fingerprint, source_files._content, source_files._imported):
        cached.cache_clear()


def test_without_a_compiler_or_a_source_there_is_no_fingerprint(monkeypatch):
    with pytest.raises(NotUsable, match=r"nowhere\.py: a source cannot be read"):
        source_files.fingerprint(Path("nowhere.py"))
    monkeypatch.setattr(source_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotUsable, match="numba is not installed"):
        source_files.fingerprint(Path(inspect.getfile(test_everything_that_compiled_code_imports_is_reached)))  # fmt: skip
