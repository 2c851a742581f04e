"""Machine code that is kept, so that an answer needs no compiler (lessons 08 and 10).

Numba compiles the encoder once; loading Numba and LLVM again in every process, only to find
the result in a cache, would take most of a second and over a hundred megabytes, for a network
of one megabyte. What the compiler made is a few hundred kilobytes of machine code. This folder
keeps it in a file and runs it with NumPy and ctypes alone.

The file holds an *object file*, what a compiler hands to a linker: sections of machine code
and constants, names (symbols), and *relocations*, a list of places where an address has to be
filled in that is not known before everything lies in memory. A linker and the system's loader
usually do that; here both fit on two pages:

* `linker`: lays the sections out in memory and fills the addresses in, and says why it is ours;
* `cache`: the file and its key;
* `emitting`: makes an object file from a Numba function (the only part that loads Numba);
* `calling`: a Python object that can be called;
* `loading`: all of it together.

Where anything is missing (another system, another processor, a folder that cannot be written)
Numba answers as before and `Compiled.because` says why. ``TINYTERNARY_NATIVE=0`` does without.
"""

from tinyternary.deploy.machine_code.loading import (
    Compiled,
    function,
    look,
    unavailable,
)
from tinyternary.places import cache_folder as folder

__all__ = ["Compiled", "folder", "function", "look", "unavailable"]
