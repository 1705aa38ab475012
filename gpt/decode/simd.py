"""What Numba has no word for: sums of products in one fixed order, a fast exponential.

`eight_rows` and `eight_stories` are the heart of the core. They multiply rows of weights with
activations, `LANES` numbers at once, and add the products up in an order that is written here and
not left to the compiler: each lane from the first number of the row to the last, then halves of the
lanes onto halves. So a sum is the same to the bit whether it is computed beside seven others of its
story or beside those of seven other stories. Weights are bfloat16 (as uint16), int8 or float32;
activations and sums are float32.

What stands here becomes LLVM's instructions; a processor whose registers are narrower runs them in
pieces, with the same result. The functions take whole arrays and the indices to begin at, and check
no bounds.
"""

from typing import Any

# llvmlite and the inside of Numba have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUnknownLambdaType=false, reportMissingTypeStubs=false, reportCallIssue=false
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np import arrayobj

from gpt.decode.jit import inner, intrinsic

LANES = 16
"""Numbers that are multiplied at once; rows are padded with zeros to a multiple of it."""
AHEAD = 4096
"""Bytes that are fetched ahead where eight stories share a row: the processor's own prefetching
falls behind there."""

I32, I64, FLOAT = ir.IntType(32), ir.IntType(64), ir.FloatType()
BITS = {types.uint16: 16, types.int8: 8}
VECTOR = ir.VectorType(FLOAT, LANES)


def _load(builder: Any, pointer: Any, element: Any) -> Any:
    """`LANES` elements from memory; a row may begin anywhere."""
    value = builder.load(builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer()))
    value.align = 1
    return value


def _widened(builder: Any, pointer: Any, dtype: Any) -> Any:
    """`LANES` weights as float32."""
    if dtype == types.float32:
        return _load(builder, pointer, FLOAT)
    narrow = _load(builder, pointer, ir.IntType(BITS[dtype]))
    if dtype == types.int8:
        return builder.sitofp(narrow, VECTOR)
    # A bfloat16 is the upper half of a float32.
    wide = builder.zext(narrow, ir.VectorType(I32, LANES))
    sixteen = ir.Constant(ir.VectorType(I32, LANES), [16] * LANES)
    return builder.bitcast(builder.shl(wide, sixteen), VECTOR)


def _folded(builder: Any, vectors: list[Any]) -> Any:
    """The sums of the lanes of 1 or 8 vectors, in one vector.

    Halves onto halves, until one number is left of each. Several vectors share the instructions,
    and each keeps the order that it would have alone.
    """
    lanes, groups = LANES, 1  # each vector holds `groups` sums of `lanes` numbers yet to add
    while lanes > 1:
        half, total = lanes // 2, lanes * groups
        low = [group * lanes + i for group in range(groups) for i in range(half)]
        pairs = [(vectors[0], vectors[0])]
        if len(vectors) > 1:
            low += [total + lane for lane in low]
            pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
            groups *= 2
        halves = [
            ir.Constant(ir.VectorType(I32, len(low)), at) for at in (low, [i + half for i in low])
        ]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(a, b, lanes_of) for lanes_of in halves))
            for a, b in pairs
        ]
        lanes = half
    return vectors[0]


def _prefetch(builder: Any, pointer: Any) -> None:
    """Ask for the memory `AHEAD` bytes behind `pointer`; harmless where there is none."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    far = builder.gep(builder.bitcast(pointer, byte), [ir.Constant(I64, AHEAD)])
    read, keep, data = (ir.Constant(I32, value) for value in (0, 3, 1))
    builder.call(fetch, [far, read, keep, data])


def _products(
    builder: Any, dtype: Any, rows: list[Any], stories: list[Any], count: Any
) -> list[Any]:
    """`LANES` partial sums of each weight row with each story: a loop over `count` numbers."""
    before = builder.block
    loop, after = builder.append_basic_block("products"), builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(I64)
    sums = [builder.phi(VECTOR) for _ in range(len(rows) * len(stories))]
    weights: list[Any] = []
    for row in rows:
        at = builder.gep(row, [index])
        if len(stories) > 1 or len(rows) > 1:
            _prefetch(builder, at)
        weights.append(_widened(builder, at, dtype))
    active = [_load(builder, builder.gep(story, [index]), FLOAT) for story in stories]
    # "contract" lets a product and its sum be one instruction, rounded once.
    products = [builder.fmul(w, x, flags=["contract"]) for w in weights for x in active]
    added = [
        builder.fadd(product, partial, flags=["contract"])
        for product, partial in zip(products, sums, strict=True)
    ]
    following = builder.add(index, ir.Constant(I64, LANES))
    index.add_incoming(ir.Constant(I64, 0), before)
    index.add_incoming(following, loop)
    for partial, new in zip(sums, added, strict=True):
        partial.add_incoming(ir.Constant(VECTOR, [0.0] * LANES), before)
        partial.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return added


def _tile(n_rows: int, n_stories: int) -> Any:
    """A function that computes y[b + s, r + i] for `n_rows` rows of weights and `n_stories`."""

    @intrinsic
    def tile(_: Any, weights: Any, r: Any, x: Any, b: Any, y: Any) -> Any:
        signature = types.void(weights, types.intp, x, types.intp, y)

        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            arrays = {
                at: arrayobj.make_array(signature.args[at])(context, builder, values[at])
                for at in (0, 2, 4)
            }

            def element(which: int, i: Any, j: Any) -> Any:
                array = arrays[which]
                shape, strides = (
                    cgutils.unpack_tuple(builder, part) for part in (array.shape, array.strides)
                )
                order = signature.args[which].layout
                return cgutils.get_item_pointer2(
                    context, builder, array.data, shape, strides, order, [i, j]
                )

            zero = ir.Constant(I64, 0)
            rows = [builder.add(values[1], ir.Constant(I64, i)) for i in range(n_rows)]
            stories = [builder.add(values[3], ir.Constant(I64, i)) for i in range(n_stories)]
            active = [element(2, story, zero) for story in stories]
            count = cgutils.unpack_tuple(builder, arrays[0].shape)[1]
            # Of int8 so little comes from memory that eight sums at once are faster than one.
            one_by_one = n_stories == 1 and signature.args[0].dtype != types.int8
            loops = [[row] for row in rows] if one_by_one else [rows]
            vectors: list[Any] = []
            for together in loops:
                weights = [element(0, row, zero) for row in together]
                vectors += _products(builder, signature.args[0].dtype, weights, active, count)
            places = [(story, row) for row in rows for story in stories]
            for first in range(0, len(places), 8):
                sums = _folded(builder, vectors[first : first + 8])
                for i, place in enumerate(places[first : first + 8]):
                    number = builder.extract_element(sums, ir.Constant(I32, i))
                    builder.store(number, element(4, *place))
            return context.get_dummy_value()

        return signature, emit

    return tile


eight_rows: Any = _tile(8, 1)
"""y[b, r : r + 8] of weights (N, K), activations x (B, K), y (B, N). The rows are read one after
the other: a processor fetches one stream of memory ahead better than eight (LOG.md)."""
eight_stories: Any = _tile(2, 8)
"""y[b : b + 8, r : r + 2]: two rows of weights are read once for eight stories."""


@intrinsic
def widen(_: Any, weight: Any) -> Any:
    """One weight (bfloat16 as uint16, int8 or float32) as float32."""

    def emit(__: Any, builder: Any, signature: Any, values: Any) -> Any:
        if signature.args[0] == types.float32:
            return values[0]
        if signature.args[0] == types.int8:
            return builder.sitofp(values[0], FLOAT)
        return builder.bitcast(
            builder.shl(builder.zext(values[0], I32), ir.Constant(I32, 16)), FLOAT
        )

    return types.float32(weight), emit


@intrinsic
def _float_of(_: Any, bits: Any) -> Any:
    """The float32 or float64 that has these 32 or 64 bits."""
    to, kind = (types.float32, FLOAT) if bits == types.int32 else (types.float64, ir.DoubleType())
    return to(bits), lambda __, builder, ___, values: builder.bitcast(values[0], kind)


# Both exponentials work as Cody and Waite (1980, chapter 6) do: x = k ln 2 + r, |r| <= ln 2 / 2; eʳ
# by its Taylor series, 2ᵏ by writing the exponent. They have no branch, so that a compiler runs
# them for many numbers at once, which it cannot do with the C library's.


@inner()
def exp(x: Any) -> Any:
    """eˣ of a float32, within 2e-7 of it; below e⁻⁸⁷ and above e⁸⁸ it is those."""
    x = min(max(x, np.float32(-87)), np.float32(88))
    scaled = x * np.float32(1.44269504) + np.float32(0.5)
    towards_0 = np.int32(scaled)
    k = np.int32(towards_0 - (scaled < towards_0))
    r = x - np.float32(k) * np.float32(0.693359375) + np.float32(k) * np.float32(2.12194440e-4)
    p = np.float32(1 / 5040)
    for c in (1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        p = p * r + np.float32(c)
    return p * _float_of(np.int32((k + np.int32(127)) << np.int32(23)))


@inner()
def exp64(x: Any) -> Any:
    """eˣ of a float64 up to 0, within 4e-16 of it; 0 below e⁻⁷⁰⁰."""
    small = max(x, -700.0)
    scaled = small * 1.4426950408889634 + 0.5
    k = np.int64(scaled)
    k -= np.int64(scaled < k)
    r = small - k * 0.6931471803691238 - k * 1.9082149292705877e-10
    p = 1 / 6227020800
    for c in (1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720):
        p = p * r + c
    for c in (1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0):
        p = p * r + c
    return p * _float_of((k + np.int64(1023)) << np.int64(52)) if x >= -700.0 else 0.0
