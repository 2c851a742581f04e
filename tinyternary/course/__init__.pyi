from ._sliders import slider as slider
from .build import (
    Built as Built,
)
from .build import (
    build as build,
)
from .build import (
    check_built as check_built,
)
from .build import (
    instructor_notebook as instructor_notebook,
)
from .build import (
    validate_notebook as validate_notebook,
)
from .build import (
    write_instructor as write_instructor,
)
from .checking import Checks as Checks
from .checking import checks as checks
from .grade import grade as grade
from .grades import ExerciseGrade as ExerciseGrade
from .grades import GradeReport as GradeReport
from .lessons import LESSONS as LESSONS
from .lessons import Outline as Outline
from .source import (
    Lesson as Lesson,
)
from .source import (
    find_lessons as find_lessons,
)
from .source import (
    list_lessons as list_lessons,
)
from .source import (
    read_lesson as read_lesson,
)
from .variants import VariantReport as VariantReport
from .variants import run_variants as run_variants
