"""Plain data (from JSON or YAML) to frozen dataclasses, strictly: each unknown, missing or mistyped field is named.

Our own forty lines rather than pydantic, because a package must load on an edge box that has numpy, OpenCV
and ONNX Runtime and nothing else (docs/decisions/0002-no-pydantic-in-the-core.md).
"""

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


def structure(cls: type[T], data: object, where: str = "") -> T:
    """`data` as a `cls`. Raises ValueError that names the field, what stood there and what was expected."""
    return typing.cast(T, _convert(cls, data, where or cls.__name__))


def _convert(kind: Any, data: object, where: str) -> object:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if is_dataclass(kind):
        return _dataclass(typing.cast(type, kind), data, where)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in args:
            return None
        return _convert(next(arg for arg in args if arg is not type(None)), data, where)
    if origin is typing.Literal:
        if data in args and isinstance(data, str):
            return data
        raise ValueError(f"{where}: {data!r} is not one of {', '.join(map(str, args))}")
    if origin is tuple and isinstance(data, Sequence) and not isinstance(data, str | bytes):
        if args[-1] is not Ellipsis and len(args) != len(data):
            raise ValueError(f"{where}: expected {len(args)} items, got {len(data)}")
        kinds = [args[0]] * len(data) if args[-1] is Ellipsis else args
        return tuple(_convert(k, item, f"{where}[{i}]") for i, (k, item) in enumerate(zip(kinds, data, strict=True)))
    if origin is dict and isinstance(data, Mapping):
        return {str(key): _convert(args[1], item, f"{where}.{key}") for key, item in data.items()}
    return _scalar(kind, data, where)


def _dataclass(cls: type, data: object, where: str) -> object:
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: expected a mapping of fields, got {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    known = {field.name: field for field in fields(cls)}
    if unknown := sorted(set(map(str, data)) - set(known)):
        raise ValueError(f"{where}: unknown field {unknown[0]!r}; known fields are {', '.join(known)}")
    for name, field in known.items():
        if name not in data and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{where}: field {name!r} is missing")
    values = {name: _convert(hints[name], data[name], f"{where}.{name}") for name in known if name in data}
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _scalar(kind: Any, data: object, where: str) -> object:
    if kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError:
            raise ValueError(f"{where}: {data!r} is not one of {', '.join(str(k.value) for k in kind)}") from None
    if isinstance(kind, type) and isinstance(data, kind) and (kind is bool or not isinstance(data, bool)):
        return data
    raise ValueError(f"{where}: expected {getattr(kind, '__name__', kind)}, got {data!r}")
