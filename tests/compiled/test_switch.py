"""Switches of the environment are read as they are at each call."""

from __future__ import annotations

import os
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from tinyternary.compiled.switch import environment

NAME = "TINYTERNARY_A_NAME_OF_THIS_TEST"
values = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(st.lists(st.one_of(st.none(), values), max_size=5))
def test_it_says_what_the_environment_says(changes):
    with mock.patch.dict(os.environ):
        for value in changes:
            if value is None:
                os.environ.pop(NAME, None)
            else:
                os.environ[NAME] = value
            assert environment(NAME) == os.environ.get(NAME) == value


def test_another_environment_in_its_place_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NAME, "before")
    monkeypatch.setattr(os, "environ", {NAME: "after"})
    assert environment(NAME) == "after"
    monkeypatch.setattr(os, "environ", {})
    assert environment(NAME) is None
