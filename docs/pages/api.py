"""The API reference: a page for each name of each package's face, made from its docstring.

The faces are the `__init__.pyi` files below `tinyternary/`; what they do not name has no page.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from sphinx.pycode import ModuleAnalyzer

from pages.lessons import written
from pages.links import ROOT

TOP = "tinyternary"


@dataclass(frozen=True)
class Name:
    """One name of a face."""

    package: str
    """The package whose face it is on: ``"quant"``."""
    name: str
    origin: str
    """The module that the face takes it from: ``"tinyternary.quant.rules.absmean"``."""

    @cached_property
    def value(self) -> Any:
        """What the name stands for."""
        return getattr(importlib.import_module(f"{TOP}.{self.package}"), self.name)

    @property
    def kind(self) -> str:
        """``"class"``, ``"function"`` or ``"data"``."""
        if inspect.isclass(self.value):
            return "class"
        return "function" if inspect.isroutine(self.value) else "data"

    @property
    def own(self) -> bool:
        """Whether the package defines it, and does not only hand on another's."""
        if self.kind != "data":
            return bool(self.value.__module__.startswith(f"{TOP}.{self.package}."))
        tree = ast.parse(inspect.getsource(importlib.import_module(self.origin)))
        targets = [
            target
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        ]
        return any(isinstance(each, ast.Name) and each.id == self.name for each in targets)

    @property
    def doc(self) -> str:
        """Its docstring; a constant's stands below it in its module."""
        if self.kind != "data":
            return inspect.getdoc(self.value) or ""
        found = ModuleAnalyzer.for_module(self.origin).find_attr_docs()
        return "\n".join(found.get(("", self.name), [])).strip()

    @property
    def summary(self) -> str:
        """The first sentence of its docstring."""
        return _lessons(_bars(self.doc.partition("\n\n")[0].replace("\n", " ")))


def face(package: str) -> list[Name]:
    """Return the names that the stub of a package promises, in its order."""
    stub = ROOT / TOP / package / "__init__.pyi"
    return [
        Name(package, alias.asname or alias.name, f"{TOP}.{package}.{node.module}")
        for node in ast.parse(stub.read_text("utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]


def packages() -> list[str]:
    """Return the packages on the library's own face."""
    stub = ast.parse((ROOT / TOP / "__init__.pyi").read_text("utf-8"))
    first = next(node for node in stub.body if isinstance(node, ast.ImportFrom))
    names = [alias.name for alias in first.names]
    return [name for name in names if (ROOT / TOP / name / "__init__.pyi").is_file()]


@cache
def faces() -> dict[str, list[Name]]:
    """Return the names of every face, by its package."""
    return {package: face(package) for package in packages()}


def pages() -> dict[str, str]:
    """Return all pages of the reference: path below ``docs/`` and content."""
    made = {}
    for package, names in faces().items():
        rows = [(each, _home(each)) for each in names]
        own = [each for each, home in rows if each == home]
        files = _files(own)
        made[f"api/{package}.rst"] = _package_page(package, rows, files)
        made |= {f"api/{files[each]}.rst": _name_page(each) for each in own}
    title = "\n".join(_heading("tt.errors"))
    made["api/errors.rst"] = f"{title}\n.. automodule:: {TOP}.errors\n   :members:\n"
    made["api/index.rst"] = _index_page()
    return made


def classes() -> dict[str, str]:
    """Return the full name, at its page, of each public class by its bare name."""
    errors = importlib.import_module(f"{TOP}.errors")
    raised = [name for name, value in vars(errors).items() if inspect.isclass(value)]
    found = {each.name: _full(each) for each in _homes().values() if each.kind == "class"}
    return found | {name: f"{TOP}.errors.{name}" for name in raised if name.endswith("Error")}


@cache
def other_names() -> dict[str, str]:
    """Return the full name, at its page, of whatever documents call by another name.

    That is ``tt.quant.absmean``, the names of faces that hand on another's, those on the
    library's own face, and bare names of classes.
    """
    found = classes()
    for names in faces().values():
        for each in names:
            home = _full(_home(each))
            found |= {f"tt.{each.package}.{each.name}": home, _full(each): home}
    for package, name in _at_hand():
        found |= dict.fromkeys((f"tt.{name}", f"{TOP}.{name}"), f"{TOP}.{package}.{name}")
    return found


def resolve(app: Any, env: Any, node: Any, text: Any) -> Any:
    """Find what a reference means that Sphinx does not, for its event ``missing-reference``."""
    if node.get("refdomain") != "py":
        return None
    name = other_names().get(node["reftarget"])
    if name is None:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, text)


def _at_hand() -> list[tuple[str, str]]:
    """Return the names on the library's own face, with the package of each."""
    stub = ast.parse((ROOT / TOP / "__init__.pyi").read_text("utf-8"))
    return [
        (node.module, alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    ]


def _full(each: Name) -> str:
    return f"{TOP}.{each.package}.{each.name}"


@cache
def _homes() -> dict[tuple[str, int], Name]:
    """Return for each thing the name on the face of the package that defines it."""
    everything = (each for names in faces().values() for each in names)
    return {(each.name, id(each.value)): each for each in everything if each.own}


def _home(each: Name) -> Name:
    return _homes().get((each.name, id(each.value)), each)


def _files(own: list[Name]) -> dict[Name, str]:
    """Name the files of pages, so that they differ also where case does not count."""
    same = Counter(each.name.lower() for each in own)
    return {
        each: f"{each.package}.{each.name}"
        + (f"-{each.kind}" if same[each.name.lower()] > 1 and each.kind != "function" else "")
        for each in own
    }


def _package_page(package: str, rows: list[tuple[Name, Name]], files: dict[Name, str]) -> str:
    lines = [
        *_heading(f"tt.{package}"),
        f".. automodule:: {TOP}.{package}",
        "   :no-members:",
        "",
        *_table(rows),
        ".. toctree::",
        "   :hidden:",
        "",
        *(f"   {each.name} <{file}>" for each, file in files.items()),
    ]
    return "\n".join(lines) + "\n"


def _table(rows: list[tuple[Name, Name]]) -> Iterator[str]:
    yield from (".. list-table::", "   :class: api-names", "   :widths: 30 70", "")
    for each, home in rows:
        also = "" if each == home else f" (the same as ``tt.{home.package}.{home.name}``)"
        yield f"   * - :py:obj:`{each.name} <{_full(home)}>`"
        yield f"     - {each.summary if each == home else home.summary}{also}"
    yield ""


def _name_page(each: Name) -> str:
    lines = _heading(f"tt.{each.package}.{each.name}")
    if each.kind == "data":
        lines += [f".. py:data:: {_full(each)}", ""]
        file = f"{each.origin.replace('.', '/')}.py"
        where = f"Defined in :source:`{file}`."
        shown = (*each.doc.splitlines(), "", _shown(each.value), "", where)
        lines += [f"   {line}" for line in shown]
    else:
        lines += [f".. auto{each.kind}:: {_full(each)}"]
        lines += ["   :members:", "   :special-members: __call__"] * (each.kind == "class")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    """Say what a constant holds, where that is short."""
    if isinstance(value, dict):
        return "Keys: " + ", ".join(f"``{key!r}``" for key in value) + "."
    text = repr(value)
    return f"Value: ``{text}``" if len(text) < 300 and " object at " not in text else ""


def _index_page() -> str:
    near = set(_at_hand())
    at_hand = [each for each in _homes().values() if (each.package, each.name) in near]
    listed = (*packages(), "errors")
    lines = [
        *_heading("API"),
        "``import tinyternary as tt``. A name that is not here is nobody's promise.",
        "",
        ".. list-table::",
        "   :class: api-names",
        "   :widths: 30 70",
        "",
    ]
    for package in listed:
        module = importlib.import_module(f"{TOP}.{package}")
        says = _lessons((module.__doc__ or "").partition("\n")[0])
        lines += [f"   * - :doc:`tt.{package} <{package}>`", f"     - {says}"]
    lines += ["", "At hand without a package's name:", "", *_table([(e, e) for e in at_hand])]
    lines += [".. toctree::", "   :hidden:", "", *(f"   tt.{p} <{p}>" for p in listed)]
    return "\n".join(lines) + "\n"


def _heading(title: str) -> list[str]:
    return [title, "=" * len(title), ""]


def finish(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Finish a docstring on its way into a page, in place: `_bars`, and lessons as links."""
    lines[:] = [_lessons(_bars(line)) for line in lines]


def _lessons(line: str) -> str:
    """Let "lesson 05" lead to that lesson, where it is written."""
    names = {outline.number: outline.name for outline in written()}

    def link(found: re.Match[str]) -> str:
        lesson = names.get(found[1])
        return f":doc:`{found[0]} </lessons/{lesson}>`" if lesson else found[0]

    return re.sub(r"\b[Ll]esson (\d\d)\b(?!_)", link, line)


def _bars(line: str) -> str:
    """Let the bars of ``mean |W|`` be bars: in reStructuredText they name a substitution."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    return re.sub(r"\|(?=\w+\|)", r"\\|", line)
