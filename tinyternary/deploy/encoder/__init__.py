"""A whole encoder in compiled code: floats, integers and attention without leaving the cache.

The ternary products are those of `tinyternary.kernels.simd`; what stands between
them (norms, float products, attention, pooling) is here, so that one call runs an
image from its bytes to its logits and Python is met twice per call, not ten times
per layer. (lessons 08_packing_and_kernels and 10_deployment)

* `emitters`, `functions`: float tiles, norms, softmax and activations as vector IR;
* `operations`: the same as functions that Numba code can call;
* `stages`, `attention`: layers and attention for a range of tokens;
* `encoder`: the network for a range of images, on one thread or a team.
"""
