"""A whole encoder in compiled code: one call takes an image from its bytes to its logits.

What `tinyternary.deploy.plain` does layer by layer in NumPy, with nothing leaving the cache
between layers and Python met twice per call, not ten times per layer. The ternary products are
those of `tinyternary.kernels.simd`. (lessons 08_packing_and_kernels and 10_deployment)

In reading order:

* `records`: the network and the memory it works in, as records of named fields;
* `encoder`: the forward pass: `embed`, `project`, `block`, `head`;
* `steps`, `attention`, `int8_steps`: what it calls, for a few rows each;
* `team`: how threads share images, and the rows of one image;
* `network`: fills the records in from a packed file, and hands batches to a team;
* `kept`: the encoder from kept machine code, without a compiler.

Below that, for those who want to see the vectors:

* `intrinsics`: emitted code as functions that Numba code can call;
* `emitters`, `functions`: float tiles, norms, softmax and activations as vector IR;
* `integers`: the same for attention whose products are of 8-bit integers.
"""
