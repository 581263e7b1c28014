"""Two languages from one catalogue each: `locales/*.json`, flat keys, the same in both."""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fastapi import Request

LANGUAGES = {"en": "en", "zh": "zh-Hans"}  # our code to the HTML lang attribute
COOKIE = "trialsight_lang"


@dataclass(frozen=True)
class Catalogue:
    """`catalogue("list.new", count=3)`. A missing key raises: a test walks them all."""

    code: str
    texts: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        return self.texts[key].format(**values) if values else self.texts[key]

    def reason(self, why: dict[str, Any] | None, otherwise: str | None) -> str:
        """Why a verdict is what it is; `otherwise` where it has no code, being older, or one that is not known here."""
        text = self.texts.get(f"reason.{(why or {}).get('code')}")
        if text is None or why is None:
            return otherwise or ""
        return text.format(**why["values"])

    def problem(self, slug: str, otherwise: str) -> str:
        return self.texts.get(f"problem.{slug}", otherwise)

    @property
    def html_lang(self) -> str:
        return LANGUAGES[self.code]

    def under(self, *prefixes: str) -> dict[str, str]:
        """The texts that a page's script needs."""
        return {key: text for key, text in self.texts.items() if key.startswith(prefixes)}


def load_catalogues() -> dict[str, Catalogue]:
    folder = files("trialsight_serving.viewer") / "locales"
    return {
        code: Catalogue(code, json.loads((folder / f"{code}.json").read_text(encoding="utf-8"))) for code in LANGUAGES
    }


def choose(request: Request) -> str:
    """`?lang=`, else the cookie, else the browser's first wish that we speak, else English."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked in LANGUAGES:
            return asked
    for wish in request.headers.get("accept-language", "").split(","):
        code = wish.partition(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return "en"
