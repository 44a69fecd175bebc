"""Bare views of arrays inside kernels, and bit scans: what Numba has no own words for.

Numba hands an array to a function as seven values. A book of seven arrays would push some fifty values through every
call that is not inlined, which costs more than the work of the call, and it lengthens compilation in proportion. A
view is one pointer: `view[i]` or `view[i, j]`, no bounds check, no negative indices, no reference counting. It is valid
only while the caller of the kernel holds the array.
"""

from __future__ import annotations

import operator
from typing import Any, cast

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import intrinsic, models, register_model

lower_builtin = cast("Any", extending.lower_builtin)
infer_global = cast("Any", templates.infer_global)


class ViewType(types.Type):
    """Pointer to items of `dtype` in rows of `columns` items; 0 columns means rows of a length known at run time.

    Views of different `memory` (a name) never overlap, which is told to the compiler.
    """

    def __init__(self, dtype: types.Type, columns: int, memory: str) -> None:
        self.dtype = dtype
        self.columns = columns
        self.memory = memory
        super().__init__(f"View({dtype}, {columns}, {memory})")


@register_model(ViewType)
class _ViewModel(models.StructModel):
    def __init__(self, dmm: Any, fe_type: ViewType) -> None:
        members: list[tuple[str, types.Type]] = [("data", types.CPointer(fe_type.dtype))]
        if fe_type.columns == 0:
            members.append(("stride", types.int64))
        super().__init__(dmm, fe_type, members)


INT32, INT64, UINT8, UINT64, FLOAT64 = "int32", "int64", "uint8", "uint64", "float64"
_ITEMS = {
    INT32: types.int32,
    INT64: types.int64,
    UINT8: types.uint8,
    UINT64: types.uint64,
    FLOAT64: types.float64,
}

_PAIR = types.UniTuple(types.int64, 2)


def _index_type(index: types.Type) -> types.Type | None:
    if isinstance(index, types.Integer):
        return types.int64
    if isinstance(index, types.BaseTuple) and len(index) == 2:
        return _PAIR
    return None


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        view, index = args
        if isinstance(view, ViewType) and (kind := _index_type(index)) is not None:
            return signature(view.dtype, view, kind)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        view, index, _value = args
        if isinstance(view, ViewType) and (kind := _index_type(index)) is not None:
            return signature(types.void, view, kind, view.dtype)
        return None


def _place(context: Any, builder: Any, view_type: ViewType, view: Any, index_type: types.Type, index: Any) -> Any:
    """Address of an item."""
    proxy = cgutils.create_struct_proxy(view_type)(context, builder, value=view)
    if index_type == _PAIR:
        row, column = cgutils.unpack_tuple(builder, index, 2)
        stride = ir.Constant(row.type, view_type.columns) if view_type.columns else proxy.stride
        index = builder.add(builder.mul(row, stride), column)
    return builder.gep(proxy.data, [index])


def _in_memory(builder: Any, access: Any, memory: str) -> Any:
    """Tag a load or store with its memory (LLVM's type-based alias analysis): a store elsewhere cannot change it."""
    module = builder.module
    zero = ir.Constant(ir.IntType(64), 0)
    kind = module.add_metadata([memory, module.add_metadata(["spymaster views"]), zero])
    access.set_metadata("tbaa", module.add_metadata([kind, kind, zero]))
    return access


@lower_builtin(operator.getitem, ViewType, types.int64)
@lower_builtin(operator.getitem, ViewType, _PAIR)
def _load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = _place(context, builder, sig.args[0], args[0], sig.args[1], args[1])
    if isinstance(sig.args[0].dtype, types.Record):
        return place  # a record is handled by its address
    return _in_memory(builder, builder.load(place), sig.args[0].memory)


@lower_builtin(operator.setitem, ViewType, types.int64, types.Any)
@lower_builtin(operator.setitem, ViewType, _PAIR, types.Any)
def _store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = _place(context, builder, sig.args[0], args[0], sig.args[1], args[1])
    _in_memory(builder, builder.store(args[2], place), sig.args[0].memory)
    return context.get_dummy_value()


def _view_of(typingctx: Any, array: Any, columns: Any, memory: Any) -> Any:
    """View of a C-contiguous array whose rows have a constant number of items (1 for a vector)."""
    view = ViewType(array.dtype, columns.literal_value, memory.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        proxy = cgutils.create_struct_proxy(view)(context, builder)
        proxy.data = data
        return proxy._getvalue()

    return view(array, columns, memory), generate


def _address(builder: Any, state: Any, place: Any) -> Any:
    """What Python wrote at a place of the state. Kernels never do: it lies in memory of its own."""
    return _in_memory(builder, builder.load(builder.gep(state, [place])), "addresses")


def _view_at(typingctx: Any, state: Any, place: Any, item: Any, columns: Any, memory: Any) -> Any:
    """View of the array whose address the state holds at `place`; `item` is one of `INT32`, ..."""
    view = ViewType(_ITEMS[item.literal_value], columns.literal_value, memory.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0])
        proxy = cgutils.create_struct_proxy(view)(context, builder)
        address = _address(builder, source.data, args[1])
        proxy.data = builder.inttoptr(address, proxy.data.type)
        return proxy._getvalue()

    return view(state, types.int64, item, columns, memory), generate


def _strided_view_at(typingctx: Any, state: Any, place: Any, item: Any, memory: Any) -> Any:
    """The same of an array with rows of the length that follows its address."""
    view = ViewType(_ITEMS[item.literal_value], 0, memory.literal_value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0])
        proxy = cgutils.create_struct_proxy(view)(context, builder)
        address = _address(builder, source.data, args[1])
        proxy.data = builder.inttoptr(address, proxy.data.type)
        proxy.stride = _address(builder, source.data, builder.add(args[1], ir.Constant(args[1].type, 1)))
        return proxy._getvalue()

    return view(state, types.int64, item, memory), generate


def _row_of(typingctx: Any, view: Any, row: Any, first: Any) -> Any:
    """One-dimensional view of a row of a strided view, beginning at item `first`."""
    result = ViewType(view.dtype, 1, view.memory)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        source = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0])
        proxy = cgutils.create_struct_proxy(result)(context, builder)
        place = builder.add(builder.mul(args[1], source.stride), args[2])
        proxy.data = builder.gep(source.data, [place])
        return proxy._getvalue()

    return result(view, types.int64, types.int64), generate


def _store_in_either(typingctx: Any, first: Any, view: Any, index: Any, other: Any, place: Any, value: Any) -> Any:
    """`view[index] = value` if `first`, else `other[place] = value`: without a branch to be guessed wrong."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one = _place(context, builder, sig.args[1], args[1], _PAIR, args[2])
        two = _place(context, builder, sig.args[3], args[3], _PAIR, args[4])
        builder.store(args[5], builder.select(args[0], one, two))
        return context.get_dummy_value()

    return types.void(types.boolean, view, _PAIR, other, _PAIR, view.dtype), generate


def _prefetch(typingctx: Any, view: Any, index: Any) -> Any:
    """Start loading the cache line of `view[index]`; the index may be anything, nothing is read."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(context, builder, sig.args[0], args[0], sig.args[1], args[1])
        line = builder.bitcast(place, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [line.type, number, number, number]),
            "llvm.prefetch.p0",
        )
        # for writing, keep in all caches, data
        builder.call(function, [line, ir.Constant(number, 1), ir.Constant(number, 3), ir.Constant(number, 1)])
        return context.get_dummy_value()

    return types.void(view, types.int64), generate


def _bit_scan(name: str, flip: int) -> Any:
    """Intrinsic for the position of a set bit of a non-zero word: one machine instruction, no branches."""

    def scan(typingctx: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            width = ir.IntType(64)
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(width, [width, ir.IntType(1)]), f"llvm.{name}.i64"
            )
            position = builder.call(function, [args[0], ir.Constant(ir.IntType(1), 1)])
            return builder.xor(position, ir.Constant(width, flip))

        return types.int64(types.uint64), generate

    return scan


def _count_bits(typingctx: Any, word: Any) -> Any:
    """Number of set bits of a word."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


view_of: Any = intrinsic(prefer_literal=True)(_view_of)
view_at: Any = intrinsic(prefer_literal=True)(_view_at)
strided_view_at: Any = intrinsic(prefer_literal=True)(_strided_view_at)
row_of: Any = intrinsic(_row_of)
store_in_either: Any = intrinsic(_store_in_either)
prefetch: Any = intrinsic(_prefetch)
count_bits: Any = intrinsic(_count_bits)
lowest_bit: Any = intrinsic(_bit_scan("cttz", 0))
highest_bit: Any = intrinsic(_bit_scan("ctlz", 63))
