"""Vector instructions written from Python (lesson 08_packing_and_kernels).

The last rungs of the ladder are not loops that a compiler might vectorise: they are the
vector instructions themselves, emitted as LLVM IR from `numba.extending.intrinsic`.

* `targets`: what each processor family can do in one instruction; how to find out;
* `shapes`, `record`: plain numbers that need no compiler: of a target, and of a layer;
* `layout`: codes interleaved so that one wide load feeds many dot products;
* `vectors`: loads, broadcasts and addresses; `quantize`, `gemm`, `gemv`, `tables`, `five`,
  `popcount`, `epilogue`: emitters, each a few dozen lines of IR building;
* `micro_kernels`: the table of what the emitters make, one entry per target;
* `driver`: plain Numba loops over rows and tiles around any of them; `tables_driver`: those around
  the table lookups, which run over inputs first;
* `rung`: a micro-kernel as a rung of the ladder has to be;
* `assembly`: the same emitters compiled for processors that this machine is not.
"""
