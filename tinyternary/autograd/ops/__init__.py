"""The operations, one file a family: forward directly above backward, in NumPy (lesson 02)."""
