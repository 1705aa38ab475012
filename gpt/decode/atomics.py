"""Numbers that several threads share: each operation is whole, and orders what is around it."""

import platform
from typing import Any

# llvmlite and the inside of Numba have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportMissingTypeStubs=false
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np import arrayobj

from gpt.decode.jit import intrinsic

SPACING = 8
"""Numbers (int64) between two shared ones: no two stand in one line of a processor's cache."""

HINTS = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "amd64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.hint", (1,)),
    "arm64": ("llvm.aarch64.hint", (1,)),
}
"""What tells a processor that its thread only waits, so that a twin on the same core gets on."""


def _pointer(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """The address of the element values[1] of the array values[0]."""
    array = arrayobj.make_array(signature.args[0])(context, builder, values[0])
    shape, strides = (cgutils.unpack_tuple(builder, part) for part in (array.shape, array.strides))
    order = signature.args[0].layout
    return cgutils.get_item_pointer2(
        context, builder, array.data, shape, strides, order, [values[1]]
    )


@intrinsic
def fetch_add(_: Any, array: Any, i: Any, n: Any) -> Any:
    """Add n to array[i]; what it was before."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        at = _pointer(context, builder, signature, values)
        return builder.atomic_rmw("add", at, values[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), emit


@intrinsic
def load(_: Any, array: Any, i: Any) -> Any:
    """array[i], and everything that was written before it."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        at = _pointer(context, builder, signature, values)
        return builder.load_atomic(at, "seq_cst", 8)

    return types.int64(array, types.intp), emit


@intrinsic
def store(_: Any, array: Any, i: Any, value: Any) -> Any:
    """array[i] = value, behind everything that was written before it."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store_atomic(values[2], _pointer(context, builder, signature, values), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), emit


@intrinsic
def pause(_: Any) -> Any:
    """Wait for a few dozen cycles."""

    def emit(context: Any, builder: Any, __: Any, ___: Any) -> Any:
        if hint := HINTS.get(platform.machine().lower()):
            name, numbers = hint
            i32 = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [i32] * len(numbers))
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.call(function, [ir.Constant(i32, n) for n in numbers])
        return context.get_dummy_value()

    return types.void(), emit
