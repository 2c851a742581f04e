"""Lessons: the checks that learners' cells call, building notebooks, grading, variants.

``course.checks("01_ternary_basics")`` is what a lesson's first cell asks for; the
rest is for authors and teachers. Each part loads when it is first used, because a
learner's kernel needs none of the notebook machinery.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
