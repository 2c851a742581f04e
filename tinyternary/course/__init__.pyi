from .authoring.build import (
    Built as Built,
    build as build,
    check_built as check_built,
    instructor_notebook as instructor_notebook,
    validate_notebook as validate_notebook,
    write_instructor as write_instructor,
)
from .authoring.checking import LessonReport as LessonReport, check_lessons as check_lessons
from .authoring.survivors import MutantReport as MutantReport, Survivor as Survivor
from .authoring.variants import VariantReport as VariantReport, run_variants as run_variants
from .grading.grade import grade as grade
from .grading.grades import (
    ExerciseGrade as ExerciseGrade,
    GradeReport as GradeReport,
    WrittenAnswer as WrittenAnswer,
)
from .judge.judging import Judge as Judge
from .judge.verdict import Part as Part, Verdict as Verdict
from .learner._sliders import slider as slider
from .learner.checks import Checks as Checks, checks as checks
from .learner.mine import mine as mine
from .learner.start import start as start
from .lesson.model import Lesson as Lesson
from .lesson.pack import (
    packed_assignments as packed_assignments,
    packed_lesson as packed_lesson,
    packed_lessons as packed_lessons,
)
from .lesson.percent import (
    find_lessons as find_lessons,
    list_assignments as list_assignments,
    list_lessons as list_lessons,
    read_lesson as read_lesson,
)
from .lessons import LESSONS as LESSONS, Outline as Outline
