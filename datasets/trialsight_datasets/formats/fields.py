"""Other tools' JSON, read field by field: what is wrong is named by its line or its place, `annotations[3].bbox`."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T", str, int, float, bool)
MOST_BYTES = 512 * 2**20


class FieldError(Exception):
    """`str()` names the field, what stands there and what was expected; the caller knows the file."""


@dataclass(frozen=True)
class Node:
    """A JSON value and where it stands; unknown fields are passed over, since every tool adds its own."""

    value: Any
    where: str = ""

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def child(self, key: str) -> "Node":
        if not isinstance(self.value, dict):
            raise FieldError(f"{self.where or 'the file'}: expected an object, got {_kind(self.value)}")
        if self.value.get(key) is None:
            raise FieldError(f"{self._at(key)} is missing")
        return Node(self.value[key], self._at(key))

    def get(self, key: str, kind: type[T]) -> T:
        return self.child(key).a(kind)

    def items(self, key: str) -> Iterator["Node"]:
        """Of a list, none where the field isn't there."""
        return iter(self.child(key).each() if self.has(key) else ())

    def each(self) -> list["Node"]:
        if not isinstance(self.value, list):
            raise FieldError(f"{self.where or 'the file'}: expected a list, got {_kind(self.value)}")
        return [Node(item, f"{self.where}[{index}]") for index, item in enumerate(self.value)]

    def a(self, kind: type[T]) -> T:
        value = self.value
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        if wrong or (isinstance(value, float) and not math.isfinite(value)):
            raise FieldError(f"{self.where}: expected {_NAMES[kind]}, got {_kind(self.value)}")
        return cast(T, value)

    def point(self) -> tuple[float, float]:
        pair = self.each()
        if len(pair) != 2:
            raise FieldError(f"{self.where}: expected x and y, got {len(pair)} numbers")
        return pair[0].a(float), pair[1].a(float)

    def _at(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key


_NAMES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def read_json(path: Path) -> Node:
    """Raises FieldError where the file can't be read, is larger than MOST_BYTES, or is no JSON (with the line)."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FieldError(f"is larger than {MOST_BYTES // 2**20} MiB")
        return Node(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise FieldError(f"can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FieldError("is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise FieldError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise FieldError("is nested too deeply") from error


def _kind(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
