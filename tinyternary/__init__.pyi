from . import (
    autograd as autograd,
)
from . import (
    bench as bench,
)
from . import (
    cli as cli,
)
from . import (
    compiled as compiled,
)
from . import (
    config as config,
)
from . import (
    cost as cost,
)
from . import (
    course as course,
)
from . import (
    data as data,
)
from . import (
    demo as demo,
)
from . import (
    deploy as deploy,
)
from . import (
    errors as errors,
)
from . import (
    evaluate as evaluate,
)
from . import (
    experiments as experiments,
)
from . import (
    kernels as kernels,
)
from . import (
    models as models,
)
from . import (
    nn as nn,
)
from . import (
    quant as quant,
)
from . import (
    report as report,
)
from . import (
    train as train,
)
from .autograd import Tensor as Tensor
from .autograd import draw_graph as draw_graph
from .autograd import gradcheck as gradcheck
from .autograd import no_grad as no_grad
from .compiled import get_threads as get_threads
from .compiled import set_threads as set_threads

__version__: str
