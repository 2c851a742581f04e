"""The embedded data set: invented blood cells, drawn from a seed."""
