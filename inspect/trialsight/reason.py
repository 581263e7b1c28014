"""Why a verdict is not `pass`: a code with its values, so that whoever shows it can say it in the reader's language."""

import math
from typing import Any

Value = str | int | float
# Code to its English text. The viewer's catalogues hold `reason.CODE` in both languages, with the same values.
REASONS: dict[str, str] = {
    "score_above": "score {score} > t2 {t2}",
    "score_above_also": "score {score} > t2 {t2}; also {also}",
    "score_between": "score {score} between t1 {t1} and t2 {t2}",
    "score_not_finite": "score is not a finite number: {score}",
    "rule": "{rule}: {count} regions, at most {at_most}",
    "rule_one": "{rule}: 1 region, at most {at_most}",
    "rule_also": "{rule}: {count} regions, at most {at_most}; also {also}",
    "rule_one_also": "{rule}: 1 region, at most {at_most}; also {also}",
    "all_black": "all black: is the lamp on, and the lens uncovered?",
    "too_dark": "under-exposed: mean brightness {value}, at least {limit}",
    "too_bright": "over-exposed: mean brightness {value}, at most {limit}",
    "black_high": "under-exposed: share of black pixels {value}, at most {limit}",
    "black_low": "wrong light: share of black pixels {value}, at least {limit}",
    "white_high": "over-exposed: share of white pixels {value}, at most {limit}",
    "white_low": "wrong light: share of white pixels {value}, at least {limit}",
    "contrast_low": "no contrast: spread of brightness {value}, at least {limit}",
    "contrast_high": "wrong light: spread of brightness {value}, at most {limit}",
    "blurred": "blurred: sharpness {value}, at least {limit}",
    "noisy": "noisy: sharpness {value}, at most {limit}",
    "not_found": "misaligned: the frame doesn't match the reference (correlation {value}, at least {limit})",
    "shifted": "misaligned: shifted by {value} px, at most {limit} px",
    "turned": "misaligned: turned by {value}°, at most {limit}°",
    "wrong_product": "wrong product in view: {value} away from the training frames, at most {limit}",
    "no_embedding": "the model gives no embedding, by which the card wants the product to be told",
    "model_failed": "the model failed: {problem}",
    "not_finite": "the model gave values that are not finite numbers",
    "frozen": "frozen camera: {count} identical frames in a row",
    "unreadable": "{problem}",
    "late": "late: the deadline passed after {ms} ms in the queue",
    "view_missing": "view missing: {views}",
    "view_late": "view missing in time: {view} came {ms} ms after the first",
}


class Reason(str):
    """The English text, and what it is made of. `values`: numbers as they are shown (four digits), else words."""

    __slots__ = ("code", "values")
    code: str
    values: dict[str, Value]

    def __new__(cls, code: str, **values: Value) -> "Reason":
        shown = {name: _shown(value) for name, value in values.items()}
        made = super().__new__(cls, REASONS[code].format(**shown))
        made.code, made.values = code, shown
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Value]]:
        return (self.code,), self.values  # for copies and pickles

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "values": self.values}


def _shown(value: Value) -> Value:
    """JSON has no NaN, and nobody reads more than four digits."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.4g}") if math.isfinite(value) else str(value)
