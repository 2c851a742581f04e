"""timm without torchvision: its networks, which use nothing of it.

timm imports torchvision for reading images and for frozen batch norms. There is not one for
every build of PyTorch, and one of another build cannot be imported. Where it is missing, empty
classes stand for its names while timm is imported, and are taken away again.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType

import pytest


class _Named(type):
    """A class whose every attribute is there, as a text: `InterpolationMode.NEAREST`."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


class _Placeholder(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Named(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "torchvision":
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Placeholder(spec.name)

    def exec_module(self, module):
        pass


def timm() -> ModuleType:
    """Import timm, or skip the test where it is not installed."""
    pytest.importorskip("torch")
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    if "timm" in sys.modules:
        return sys.modules["timm"]
    try:
        importlib.import_module("torchvision")
    except Exception:  # missing, or of another build: what it raises then is its own affair
        return _import_alone()
    return importlib.import_module("timm")


def _import_alone() -> ModuleType:
    def forget() -> None:
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]

    finder = _Finder()
    forget()
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module("timm")
    finally:
        sys.meta_path.remove(finder)
        forget()
