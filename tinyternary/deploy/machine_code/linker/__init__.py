"""A linker and loader of our own, and what it is here for (lesson 08_packing_and_kernels).

LLVM can load an object file as well (llvmlite's ``ExecutionEngine.add_object_file``, about ten
lines), with the same bits in every answer. What these two pages are for is memory: LLVM's library
would stand in it for nothing but that. docs/MEASUREMENTS.md has both ways side by side,
by ``python tests/deploy/machine_code/loaders.py small 15``. A network of a megabyte is meant for
machines on which those megabytes matter; where they do not, nothing here has to be read, and
``TINYTERNARY_NATIVE=0`` does without.

* `elf`: reads an object file;
* `linking`: lays its sections out in memory and fills the addresses in.

Nothing rests on it: whatever goes wrong here, `load` says so in one way, and Numba answers.
"""

from __future__ import annotations

from tinyternary.deploy.machine_code.linker import elf
from tinyternary.deploy.machine_code.linker.linking import Linked
from tinyternary.kept_files import NotUsable


def load(content: bytes, name: str) -> int:
    """Return the address of the function called ``name``, after loading an object file.

    Raises
    ------
    NotUsable
        If that cannot be done, whatever the reason.
    """
    try:
        return Linked(elf.parse(content)).address(name)
    except NotUsable:
        raise
    except Exception as error:  # not foreseen, and still no reason not to answer
        reason = f"{type(error).__name__}: {error}"
        raise NotUsable(f"the object file cannot be loaded: {reason}") from error
