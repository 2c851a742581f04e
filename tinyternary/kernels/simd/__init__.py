"""Vector instructions written from Python (lesson 08_packing_and_kernels).

The last rungs of the ladder are not loops that a compiler might vectorise: they are the
vector instructions themselves, emitted as LLVM IR from `numba.extending.intrinsic`.

* `targets`: what each processor family can do in one instruction; how to find out;
* `shapes`, `plan`: plain numbers that need no compiler: of a target, and of a layer;
* `layout`: codes interleaved so that one wide load feeds many dot products;
* `quantize`, `tile`, `gemv`, `lookup`, `popcount`, `epilogue`: emitters, each a few dozen lines of
  IR building;
* `driver`, `group_driver`, `lookup_driver`, `popcount_driver`: plain Numba loops over tiles that
  call the emitters;
* `assembly`: the same emitters compiled for processors that this machine is not.
"""
