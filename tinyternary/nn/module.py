"""Module: named parameters, train and eval, state_dict (lesson 03)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.errors import CheckpointError

Array = NDArray[Any]


class Parameter(Tensor):
    """A tensor that training changes: a leaf that requires a gradient.

    Parameters
    ----------
    data : array_like of floats
    """

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(data, requires_grad=True)


class Module:
    """A part of a network: parameters and other modules as attributes.

    Lists and tuples of modules count as well; their entries are named by number
    (``blocks.0.attn``). A subclass defines ``forward``.

    Attributes
    ----------
    training : bool
        Whether dropout and the like are at work; set by `train` and `eval`.
    """

    training: bool = True
    rng: np.random.Generator | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's result."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`: a module is called like a function."""
        return self.forward(*args, **kwargs)

    # ---- walking ---------------------------------------------------------------------

    def _children(self) -> Iterator[tuple[str, Module]]:
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, list | tuple):
                for number, entry in enumerate(value):
                    if isinstance(entry, Module):
                        yield f"{name}.{number}", entry

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module ("") and all below, with dotted names."""
        yield prefix, self
        for name, child in self._children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with dotted names; a shared one once, under its first name."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> Iterator[Parameter]:
        """Yield all parameters, those of its parts included."""
        for _, parameter in self.named_parameters():
            yield parameter

    # ---- state -----------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Values of all parameters by name (not copies)."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Array], strict: bool = True) -> list[str]:
        """Copy values into the parameters; nothing changes if anything does not fit.

        Parameters
        ----------
        state : mapping of str to array
        strict : bool
            Whether every parameter must be there, and nothing else. Shapes must fit
            in any case.

        Returns
        -------
        list of str
            Names that only one side has (empty where `strict`).

        Raises
        ------
        CheckpointError
            Naming the parameters that are missing, unexpected or of another shape.
        """
        own = dict(self.named_parameters())
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict and (missing or unexpected):
            told = [f"missing {_some(missing)}"] * bool(missing)
            told += [f"unexpected {_some(unexpected)}"] * bool(unexpected)
            raise CheckpointError(f"state_dict does not fit {type(self).__name__}: "
                                  + "; ".join(told))  # fmt: skip
        fitting = [name for name in own if name in state]
        for name in fitting:
            if tuple(state[name].shape) != own[name].shape:
                raise CheckpointError(
                    f"state_dict: {name} has shape {tuple(state[name].shape)}, "
                    f"the model's is {own[name].shape}"
                )
        for name in fitting:
            own[name].data[...] = state[name]
        return missing + unexpected

    # ---- modes -----------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Switch to training (dropout at work); returns itself."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation (nothing random); returns itself."""
        return self.train(False)

    def set_rng(self, rng: np.random.Generator) -> Self:
        """Give every Dropout and DropPath this one generator; returns itself."""
        for module in self.modules():
            module.rng = rng
        return self

    def zero_grad(self) -> None:
        """Set every parameter's gradient to None."""
        for parameter in self.parameters():
            parameter.grad = None

    # ---- text ------------------------------------------------------------------------

    def describe(self) -> str:
        """Sizes and options, as they show in `repr`."""
        return ""

    def __repr__(self) -> str:
        children = [
            f"  {name}: " + repr(child).replace("\n", "\n  ") for name, child in self._children()
        ]
        head = f"{type(self).__name__}({self.describe()})"
        return "\n".join([head, *children])


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
