"""The packed product on a graphics processor: one kernel, and whether it can run here (lesson 08).

Needs a CUDA GPU with its driver. ``NUMBA_ENABLE_CUDASIM=1``, set before Python starts, has Numba
simulate one, thread by thread: for reading and for tests, thousands of times slower.
"""
