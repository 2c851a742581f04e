"""Grading: a learner's notebook run in a process of its own, and a class of them."""
