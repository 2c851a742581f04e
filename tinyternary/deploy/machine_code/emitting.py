"""From a Numba function to an object file (lesson 08_packing_and_kernels).

The only part of this folder that loads a compiler. The code is the same that Numba would run,
down to the intermediate representation after optimisation; only addresses are written in
another way: *position-independent*, counted from where the code stands, so that it can be
loaded anywhere.
"""

from __future__ import annotations

from typing import Any

from tinyternary.deploy.machine_code.calling import ENTRY, INTEGER, kind_of
from tinyternary.kept_files import NotUsable


def emit(dispatcher: Any) -> tuple[list[str], bytes]:
    """Return the kinds of the arguments and the object file of a compiled function.

    Parameters
    ----------
    dispatcher : numba dispatcher
        Compiled for one signature, of int64 and C-contiguous arrays.

    Returns
    -------
    list of str
        As `calling.NativeFunction` takes them.
    bytes
    """
    import numba

    signature = dispatcher.nopython_signatures[0]
    if dispatcher.stats.cache_hits:  # machine code from Numba's cache has no representation
        options = dict(dispatcher.targetoptions)
        options.pop("nopython", None)  # is what `njit` means
        dispatcher = numba.njit(signature, **options)(dispatcher.py_func)
    return [_kind(argument) for argument in signature.args], _object(dispatcher, signature.args)


def _kind(argument: Any) -> str:
    import numpy as np
    from numba import types

    if argument == types.int64:
        return INTEGER
    if isinstance(argument, types.Array) and argument.layout == "C":
        return kind_of(np.dtype(str(argument.dtype)), argument.ndim)
    raise NotUsable(f"an argument of type {argument} cannot be passed")


def _object(dispatcher: Any, arguments: Any) -> bytes:
    import llvmlite.binding as llvm
    from numba.core import config as numba_config

    config: Any = numba_config
    compiled = dispatcher.overloads[arguments]
    module = llvm.parse_assembly(dispatcher.inspect_llvm(arguments))
    entry = llvm.parse_assembly(_entry(compiled), context=None)
    entry.triple, entry.data_layout = module.triple, module.data_layout
    module.link_in(entry)
    for function in module.functions:
        if not function.is_declaration and function.name != ENTRY:
            function.linkage = "internal"
    codegen: Any = compiled.target_context.codegen()
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=codegen._get_host_cpu_name(),
        features=codegen._get_host_cpu_features(),
        opt=config.OPT,
        reloc="pic",
        codemodel="small",
    )
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()  # what Python would call, and all it needs
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    code: bytes = machine.emit_object(module)
    return code


def _entry(compiled: Any) -> str:
    """IR of a function that takes arguments from a table of 64-bit numbers and passes them on.

    An array takes one number for its address and one for each extent.
    """
    from llvmlite import ir
    from numba import types
    from numba.np import arrayobj

    context, facts = compiled.target_context, compiled.fndesc
    word = ir.IntType(64)
    module = context.create_module(ENTRY)
    kind = ir.FunctionType(ir.IntType(32), [word.as_pointer()])
    builder = ir.IRBuilder(ir.Function(module, kind, ENTRY).append_basic_block())
    (table,) = builder.function.args
    place = 0

    def following() -> Any:
        nonlocal place
        place += 1
        return builder.load(builder.gep(table, [ir.Constant(word, place - 1)]))

    values = []
    for argument in facts.argtypes:
        if not isinstance(argument, types.Array):
            values.append(following())
            continue
        array = context.make_array(argument)(context, builder)
        data = builder.inttoptr(following(), array.data.type)
        extents = [following() for _ in range(argument.ndim)]
        size = context.get_constant(types.intp, argument.dtype.bitwidth // 8)
        strides = [size]
        for extent in reversed(extents[1:]):
            strides.insert(0, builder.mul(strides[0], extent))
        # no owner: whoever calls keeps the arrays alive
        arrayobj.populate_array(array, data, extents, strides, size, meminfo=None)
        values.append(array._getvalue())
    function = context.declare_function(module, facts)
    status, _ = context.call_conv.call_function(
        builder, function, facts.restype, facts.argtypes, values
    )
    builder.ret(status.code)
    # what would give an array's memory back: there is no owner and so nothing to do
    release = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    body = ir.Function(module, release, "NRT_MemInfo_call_dtor").append_basic_block()
    ir.IRBuilder(body).ret_void()
    return str(module)
