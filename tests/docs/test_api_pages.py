"""Every name of every face has a page of the reference, or is led to the page that has it."""

from __future__ import annotations

import inspect

import pytest

pytest.importorskip("sphinx", reason="the extra docs is not installed")

from pages import api, sources

import tinyternary as tt

PAGES = api.pages()


def test_every_package_has_a_page() -> None:
    modules = {name for name in dir(tt) if inspect.ismodule(getattr(tt, name))}
    assert {"autograd", "quant", "kernels", "deploy", "errors"} < modules
    assert {f"api/{name}.rst" for name in modules} < set(PAGES)


@pytest.mark.parametrize("package", api.packages())
def test_every_name_is_listed(package: str) -> None:
    listed = PAGES[f"api/{package}.rst"]
    assert all(f":py:obj:`{each.name} <" in listed for each in api.face(package))


def test_a_name_that_two_faces_share_has_one_page() -> None:
    assert "api/config.preset.rst" in PAGES
    assert "api/models.preset.rst" not in PAGES
    assert "(the same as ``tt.config.preset``)" in PAGES["api/models.rst"]


def test_pages_differ_where_case_does_not_count() -> None:
    assert len({page.lower() for page in PAGES}) == len(PAGES)


def test_a_constant_is_shown_with_what_is_said_below_it() -> None:
    page = PAGES["api/data.NAMES.rst"]
    assert "Names that `load` knows." in page
    assert "'phantoms'" in page


def test_bars_of_a_formula_stay_bars() -> None:
    assert api._bars("alpha = mean |W|, a | b") == "alpha = mean \\|W|, a | b"
    assert api._bars(">>> |W|") == ">>> |W|"


@pytest.mark.parametrize(
    ("module", "name", "file"),
    [
        ("tinyternary.quant", "absmean", "quant/rules/absmean"),
        ("tinyternary.deploy", "Engine.predict", "deploy/engine"),
        ("tinyternary.data", "Dataset.rows", "data/dataset"),
    ],
)
def test_a_name_leads_to_its_line(module: str, name: str, file: str) -> None:
    link = sources.linkcode_resolve("py", {"module": module, "fullname": name})
    assert link is not None
    page, _, line = link.partition("#L-")
    assert page == f"../source/tinyternary/{file}.html"
    text = (sources.PACKAGE / f"{file}.py").read_text("utf-8").splitlines()
    lines = " ".join(text[int(line) - 1 : int(line) + 1])  # a decorator may come first
    assert f" {name.rpartition('.')[2]}(" in f" {lines}"


@pytest.mark.parametrize(
    ("called", "full"),
    [
        ("tt.quant.absmean", "tinyternary.quant.absmean"),
        ("tt.models.preset", "tinyternary.config.preset"),
        ("tinyternary.get_threads", "tinyternary.compiled.get_threads"),
        ("tt.Tensor", "tinyternary.autograd.Tensor"),
        ("LayerQuant", "tinyternary.config.LayerQuant"),
        ("ConfigError", "tinyternary.errors.ConfigError"),
    ],
)
def test_other_names_are_known(called: str, full: str) -> None:
    assert api.other_names()[called] == full
