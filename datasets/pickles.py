"""Reading pickles from strangers: an allow-list unpickler that runs nothing from the file.

A pickle is a program that may call any function by name. This reader knows a few names, and puts
its own functions in their place: arrays, dtypes and scalars of numpy are rebuilt below from their
plain bytes, so that not even numpy's own `__setstate__` meets hostile state. Any other class or
function is refused by its name. dill's detour to numpy's private functions
(`dill._dill._get_attr(dill._dill._import_module("numpy.core..."), "_reconstruct")`) is followed to
the same few.
"""

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.errors import InputError

NUMPY_MODULES = frozenset(
    f"numpy{core}{name}"
    for core in (".core", "._core")
    for name in (".multiarray", "._multiarray_umath", ".numeric")
)


class _Refused(pickle.UnpicklingError):
    """The file asks for something that is not on the allow-list."""


def _short(value: Any) -> str:
    """Name a value from the file without repeating all of it: it may be endless."""
    return repr(value[:60]) if isinstance(value, str) else f"a {type(value).__name__}"


def _plain(members: Any) -> Any:
    """Check that dict keys or set members are plain values."""
    for member in members:
        if not isinstance(member, str | bytes | int | float | complex | None):
            raise _Refused(f"refused {_short(member)} as a dict key or set member")
    return members


class _Function:
    """A function of ours that the file may call, and do nothing else with."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setstate__(self, _state: Any) -> None:
        raise _Refused("refused to change a function")


class _Dtype:
    """Stand-in for `numpy.dtype` while reading: booleans, integers, floats and complex only."""

    def __init__(self, code: Any, _align: Any = False, _copy: Any = False) -> None:
        try:
            self.real = np.dtype(code) if isinstance(code, str) else None
        except TypeError:
            self.real = None
        if self.real is None or self.real.kind not in "biufc":
            raise _Refused(f"refused the dtype {_short(code)}: only numbers are read")

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "=") or self.real is None:
            raise _Refused("refused a dtype with unknown state")
        self.real = self.real.newbyteorder(order)


class _Array:
    """Stand-in for an array while reading; `array` is the real one once its state has come."""

    def __init__(self, *_arguments: Any) -> None:
        self.array: Array = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        try:
            _version, shape, dtype, fortran, data = state
        except (TypeError, ValueError):
            raise _Refused("refused an array with unknown state") from None
        if isinstance(data, str):  # a pickle of Python 2, read with its bytes as latin1
            data = _encode(data)
        self.array = _from_bytes(data, dtype, shape, "F" if fortran else "C").array


def _from_bytes(data: Any, dtype: Any, shape: Any, order: Any = "C") -> _Array:
    """Build an array from its bytes, whose number must be exactly what shape and dtype need."""
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes | bytearray):
        raise _Refused("refused an array that is not made of plain bytes")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise _Refused(f"refused an array of shape {_short(shape)}")
    if order not in ("C", "F"):
        raise _Refused(f"refused an array of order {_short(order)}")
    try:
        built = np.frombuffer(bytes(data), dtype.real).reshape(shape, order=order)
    except ValueError as error:
        raise _Refused(f"array of shape {shape}: {error}") from None
    result = _Array()
    # Without a copy where there is need of none: many arrays may be made of the same bytes.
    result.array = built.astype(built.dtype.newbyteorder("="), copy=False)
    return result


def _ndarray(shape: Any, dtype: Any, data: Any = None) -> _Array:
    """Stand-in for a call of `numpy.ndarray`, by which our own predictions are stored."""
    return _from_bytes(data, _Dtype(dtype), shape)


def _scalar(dtype: Any, data: Any = b"") -> Any:
    return _from_bytes(data, dtype, ()).array[()]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Stand-in for `_codecs.encode`, by which old protocols store bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _Refused("refused to encode anything but latin1 text")
    return text.encode("latin1")


def _bytes() -> bytes:
    """Stand-in for `bytes`, which old protocols call for empty bytes; takes no size."""
    return b""


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    """Stand-in for `collections.OrderedDict`, called with pairs of keys and values by old files."""
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise _Refused("refused an OrderedDict that is not made of pairs")
    _plain(key for key, _ in pairs)
    return dict(pairs)


def _bytearray(data: Any = b"", *encoding: Any) -> bytearray:
    """Stand-in for `bytearray`, which takes no size here, so that no memory can be wasted."""
    return bytearray(_encode(data, *encoding) if not isinstance(data, bytes) else data)


class _Module:
    """Stand-in for a module that dill imports: a name from the allow-list, nothing behind it."""

    def __init__(self, name: Any) -> None:
        # Of anything but a text even the hash is dangerous: nested deep, it ends the process.
        if not isinstance(name, str) or name not in NUMPY_MODULES:
            raise _Refused(f"refused to import the module {_short(name)}")
        self.name = name

    def __setstate__(self, _state: Any) -> None:
        raise _Refused("refused to change a module")


def _attribute(module: Any, name: Any) -> Any:
    """Stand-in for dill's getattr: only on the modules above, only names of the allow-list."""
    if not isinstance(module, _Module):
        raise _Refused(f"refused the attribute {_short(name)} of {type(module).__name__}")
    return _allowed(module.name, name)


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Function(_ndarray),
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Function(_encode),
    ("collections", "OrderedDict"): _Function(_ordered),
    ("dill._dill", "_import_module"): _Module,
    ("dill._dill", "_get_attr"): _Function(_attribute),
}
BUILTINS = {
    "bytearray": _Function(_bytearray),
    "bytes": _Function(_bytes),
    "complex": complex,
    "frozenset": _Function(lambda members=(): frozenset(_plain(members))),
    "set": _Function(lambda members=(): set(_plain(members))),
}
ALLOWED |= {(m, name): f for name, f in BUILTINS.items() for m in ("builtins", "__builtin__")}
ALLOWED |= {(module, "_reconstruct"): _Array for module in NUMPY_MODULES}
ALLOWED |= {(module, "scalar"): _Function(_scalar) for module in NUMPY_MODULES}
ALLOWED |= {(module, "_frombuffer"): _Function(_from_bytes) for module in NUMPY_MODULES}


def _allowed(module: str, name: str) -> Any:
    if isinstance(name, str) and (module, name) in ALLOWED:
        return ALLOWED[module, name]
    what = f"{module}.{name}" if isinstance(name, str) else _short(name)
    raise _Refused(
        f"refused {what[:60]}: only numpy arrays, numbers, strings and containers are read"
    )


_PythonUnpickler: Any = pickle._Unpickler  # type: ignore[attr-defined,unused-ignore]


class _Unpickler(_PythonUnpickler):  # type: ignore[misc]
    """The allow-list, and plain dict keys and set members only.

    Python's own unpickler instead of the C one, since hashing a tuple of a million tuples would
    overflow the C stack and end the process.
    """

    dispatch = dict(_PythonUnpickler.dispatch)  # noqa: RUF012  (pickle's own way)

    def find_class(self, module: str, name: str) -> Any:
        return _allowed(module, name)

    def load_setitem(self) -> None:
        _plain(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        _plain(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        _plain(self.stack[::2])
        super().load_dict()

    def load_additems(self) -> None:
        _plain(self.stack)
        super().load_additems()

    def load_frozenset(self) -> None:
        _plain(self.stack)
        super().load_frozenset()

    def load_bytearray8(self) -> None:
        """Make room for what there is, not for what the file says that there is."""
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict
    dispatch[pickle.ADDITEMS[0]] = load_additems
    dispatch[pickle.FROZENSET[0]] = load_frozenset
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def _unwrap(value: Any, done: dict[int, Any]) -> Any:
    """Replace the stand-ins by the real arrays, in containers of any depth.

    `done` has what was replaced already, by its id: a small pickle may hold one list ten times, in
    each of ten lists, and so on, which must not be unfolded.
    """
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, list):
        result: Any = done.setdefault(id(value), [])
        result.extend(_unwrap(entry, done) for entry in value)
    elif isinstance(value, dict):
        result = {_unwrap(key, done): _unwrap(entry, done) for key, entry in value.items()}
    elif isinstance(value, tuple):
        result = tuple(_unwrap(entry, done) for entry in value)
    elif isinstance(value, _Array):
        result = value.array
    elif isinstance(value, _Dtype):
        result = value.real
    else:
        result = value
    done[id(value)] = result
    return result


def loads(data: bytes, name: str = "pickle", encoding: str = "ASCII") -> Any:
    """Read a pickle that holds arrays, numbers, strings and containers, and nothing else.

    Parameters
    ----------
    data : bytes
        The pickle, of any protocol; also one written by dill or by numpy before version 2.
    name : str
        What error messages call it.
    encoding : str
        Of the text in a pickle of Python 2; "latin1" where it holds arrays.

    Raises
    ------
    InputError
        If it is no pickle, is cut short, or asks for any other class or function.
    """
    try:
        return _unwrap(_Unpickler(io.BytesIO(data), encoding=encoding).load(), {})
    except _Refused as error:
        raise InputError(f"{name}: {error}") from None
    except Exception as error:  # a damaged pickle may fail in any way whatever
        what = type(error).__name__
        raise InputError(f"{name}: not a complete pickle ({what}: {error})") from None


def load(path: str | Path) -> Any:
    """Read a pickle file like `loads`; a file that cannot be read is an `InputError` too."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return loads(data, str(path))
