from .infer import bench_infer as bench_infer
from .infer_parts import infer_parts as infer_parts
from .kernels import bench_kernels as bench_kernels
from .machine import describe_machine as describe_machine
from .peaks import this_machine as this_machine
from .scale import bench_scale as bench_scale
from .timing import Timing as Timing, interleave as interleave
from .train import bench_train as bench_train
