"""Numbers as JSON writes them: neither text nor true and false, which would pass for 1 and 0."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _number(value: Any) -> Any:
    if isinstance(value, (bool, str)):
        raise ValueError("a number is expected")
    return value


AS_JSON = BeforeValidator(_number)  # the last of an annotation: limits behind it would be missing from the document
Count = Annotated[int, Field(ge=0, le=2**53), AS_JSON]
Number = Annotated[float, Field(allow_inf_nan=False), AS_JSON]
