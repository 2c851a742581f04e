from ._sliders import slider as slider
from .build import (
    Built as Built,
    build as build,
    check_built as check_built,
    instructor_notebook as instructor_notebook,
    validate_notebook as validate_notebook,
    write_instructor as write_instructor,
)
from .checking import Checks as Checks, checks as checks
from .grade import grade as grade
from .grades import ExerciseGrade as ExerciseGrade, GradeReport as GradeReport
from .lessons import LESSONS as LESSONS, Outline as Outline
from .source import (
    Lesson as Lesson,
    find_lessons as find_lessons,
    list_lessons as list_lessons,
    read_lesson as read_lesson,
)
from .variants import VariantReport as VariantReport, run_variants as run_variants
