"""Rung 15 of 15: the same codes on a graphics processor, by Numba's CUDA target.

What it adds: thousands of threads, and one multiplication for two rows of activations
(`kernels.cuda.product`). Nothing takes it by itself: it has to be asked for, by name.
Bytes per MAC: 0.25 / 64 for the codes and 1 / 32 for the activations, from the GPU's memory; from
the memory that a block's threads share, 1 / 32 and 2. Operations per MAC: half a multiplication
and addition, and an eighth of a shift, a mask and a subtraction.
How fast that should be: half of these operations a core and cycle are two MAC, a quarter of what
`dp4a` does, which Numba has no name for. It was run in Numba's simulator, bit for bit, and never
timed on a GPU; each call copies x there and the result back, which takes longer than a small
product. (lesson 08_packing_and_kernels)
"""

from tinyternary.kernels.cuda.product import product, to_words

prepare, matmul = to_words, product
