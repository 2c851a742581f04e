"""How long a process or a thread may take before it counts as stuck."""

PATIENCE = 600
"""Seconds, on any machine, beside any other work: a test that fails has to mean a fault. One that
hangs fails all the same, later."""
