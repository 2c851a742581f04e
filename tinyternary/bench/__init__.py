"""Measurements against the peers that people would use instead; never run by the tests' clock."""
