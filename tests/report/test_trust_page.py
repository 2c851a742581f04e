"""The report of a network holds everything itself, says its numbers, and no name breaks out of it."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings, strategies as st

from tinyternary import data, deploy, experiments, models, quant
from tinyternary.cli.main import commands
from tinyternary.data import Splits
from tinyternary.experiments.trust import mistakes
from tinyternary.report.trust.accuracy import Examples
from tinyternary.report.trust.page import Pictures, trust_page, trust_sections


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Packed files of an untrained teacher and an untrained student."""
    folder = tmp_path_factory.mktemp("packed")
    names = data.PHANTOM_CLASSES
    teacher = models.ViT(models.preset("lesson", num_classes=8, channels=3), seed=1)
    student = quant.ternarize(models.ViT(teacher.config, seed=2), "all-linear")
    for name, model in (("teacher", teacher), ("student", student)):
        packed = deploy.pack(model, class_names=names, dataset="phantoms")
        packed.save(folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def splits():
    return Splits(*(part.subset(slice(0, 48)) for part in data.load("phantoms")))


@pytest.fixture(scope="module")
def subject(files, splits):
    return experiments.read_subject(
        files / "student.safetensors", files / "teacher.safetensors", data=splits
    )


@pytest.fixture(scope="module")
def record(subject):
    return experiments.measure_trust(subject, quick=True)


class Outline(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.alts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        fields = dict(attrs)
        assert not any(name.startswith("on") for name in fields)
        self.tags.append(tag)
        self.addresses += [fields[k] for k in ("src", "href", "srcset", "action") if fields.get(k)]
        if tag == "img":
            self.alts.append(fields["alt"])

    def handle_data(self, text):
        self.text += text


def test_the_page_holds_everything_itself(record, subject):
    page = trust_page(record, Pictures(Examples(**mistakes(subject))))
    html = page.render()
    assert html.startswith("<!doctype html>")
    outline = Outline(html)
    assert not {"script", "iframe", "object", "link", "form"} & set(outline.tags)
    links = [address for address in outline.addresses if address.startswith("#")]
    assert all(f'id="{link[1:]}"' in html for link in links)
    assert len(links) == len(page.sections) == outline.tags.count("section")
    others = set(outline.addresses) - set(links)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in others)
    assert not re.search(r"@import|url\(", html)
    assert outline.alts
    assert all(outline.alts)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_the_page_says_its_numbers_and_its_warnings(record):
    text = Outline(trust_page(record).render()).text
    assert f"{record['accuracy']['student']['acc']:.1%}" in text
    assert f"{record['accuracy']['teacher']['auc']:.3f}" in text
    assert f"{record['cost']['student']['file_bytes']:,}" in text
    assert "not for clinical use" in text
    assert "synthetic phantoms, not patients" in text


def test_every_section_begins_with_words(record, subject):
    for key, section in trust_sections(record, Pictures(Examples(**mistakes(subject)))).items():
        assert section.text.count(". ") + section.text.endswith(".") >= 2, key
        if section.figure is not None:
            assert section.alt


def test_a_report_of_one_network_has_no_teacher(files, splits):
    alone = experiments.read_subject(files / "student.safetensors", data=splits)
    found = experiments.measure_trust(alone, quick=True)
    html = trust_page(found).render()
    assert ">None<" not in html
    assert "difference, points" not in html


def renamed(record, subject, name):
    """The same record with a name from outside wherever there can be one."""
    found = copy.deepcopy(record)
    classes = len(found["data"]["class_names"])
    found["data"]["class_names"] = [f"{name}{i}" for i in range(classes)]
    for i, row in enumerate(found["strata"]["classes"]):
        row["name"] = f"{name}{i}"
    for who in found["networks"]:
        for row in found["operating"][who]["classes"]:
            row["name"] = name
    found["data"]["name"] = found["data"]["title"] = found["subject"] = name
    found["data"]["license"] = found["cost"]["energy_model"] = name
    wrong = mistakes(subject, count=2)
    wrong["labels"] = [name for _ in wrong["labels"]]
    return found, Pictures(Examples(**wrong))


ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
NASTY = '</title><script>alert(1)</script>"><img src=http://x onerror=y>{{ page }}$x^$ \x1b[2J\u202e\ud800\x00'


@pytest.fixture(scope="module")
def plain_tags(record, subject):
    return Outline(trust_page(*renamed(record, subject, "name")).render()).tags


def test_no_name_breaks_out(record, subject, plain_tags):
    html = trust_page(*renamed(record, subject, NASTY)).render()
    assert html.encode()
    assert Outline(html).tags == plain_tags
    assert not ACTS.search(html)


@given(st.text(max_size=40))
@settings(max_examples=4)
def test_no_text_breaks_out(record, subject, plain_tags, name):
    page = trust_page(*renamed(record, subject, name))
    assert sum(s.figure is not None for s in page.sections) >= 3  # drawn, and not written out here
    bare = [replace(s, figure=None, parts=[replace(p, figure=None) for p in s.parts])
            for s in page.sections]  # fmt: skip
    html = replace(page, sections=bare).render()
    assert html.encode()
    assert Outline(html).tags == [tag for tag in plain_tags if tag != "img"]
    assert not ACTS.search(html)


def test_the_command_writes_page_and_numbers(files, tmp_path, capsys, monkeypatch, splits):
    monkeypatch.setattr("tinyternary.experiments.subject.load", lambda *_, **__: splits)
    page = tmp_path / "out" / "page.html"
    commands()(
        ["report", str(files / "student.safetensors"), "--teacher",
         str(files / "teacher.safetensors"), "--out", str(page), "--quick", "--json", "-q"],
        standalone_mode=False,
    )  # fmt: skip
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(page.with_suffix(".json").read_text())
    assert printed["speed"]["latency_ms"]["student"]["1"]["median"] > 0
    assert "measured time an image" in page.read_text()
