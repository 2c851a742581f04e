"""The page of `tinyternary report`, a file for each topic; numbers come from `measure_trust`."""
