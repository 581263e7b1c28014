"""Numbers as JSON writes them: neither text nor true and false, which would pass for 1 and 0."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _number(value: Any) -> Any:
    if isinstance(value, (bool, str)):
        raise ValueError("a number is expected")
    return value


Count = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(_number)]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_number)]
