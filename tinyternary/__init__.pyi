from . import (
    autograd as autograd,
    bench as bench,
    cli as cli,
    compiled as compiled,
    config as config,
    cost as cost,
    course as course,
    data as data,
    demo as demo,
    deploy as deploy,
    errors as errors,
    evaluate as evaluate,
    experiments as experiments,
    kernels as kernels,
    models as models,
    nn as nn,
    quant as quant,
    report as report,
    train as train,
)
from .autograd import (
    Tensor as Tensor,
    draw_graph as draw_graph,
    gradcheck as gradcheck,
    no_grad as no_grad,
)
from .compiled import get_threads as get_threads, set_threads as set_threads

__version__: str
