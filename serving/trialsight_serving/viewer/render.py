"""Templates with what every page needs: texts in the reader's language, who is reading, links that keep the filter."""

import re
from importlib.resources import files
from typing import Any

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from trialsight_serving.access.principal import LOCAL
from trialsight_serving.problems import Problem
from trialsight_serving.viewer.language import COOKIE, LANGUAGES, choose, load_catalogues

_YEAR_S = 365 * 24 * 3600


class Pages:
    def __init__(self) -> None:
        folder = str(files("trialsight_serving.viewer") / "templates")
        self._templates = Jinja2Templates(directory=folder)
        self._templates.env.trim_blocks = self._templates.env.lstrip_blocks = True
        self._templates.env.filters |= {"signed": _signed, "coded": _coded}
        self._catalogues = load_catalogues()

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        code = choose(request)
        who = getattr(request.state, "principal", None)
        context = {
            "t": self._catalogues[code],
            "languages": [
                (other, self._catalogues[other]("language"), request.url.include_query_params(lang=other))
                for other in LANGUAGES
            ],
            "who": None if who is LOCAL else who,
            **values,
        }
        response = self._templates.TemplateResponse(request, template, context, status)
        response.headers["Cache-Control"] = "no-store"
        if request.query_params.get("lang") == code:
            response.set_cookie(COOKIE, code, max_age=_YEAR_S, samesite="lax")
        return response

    def problem(self, request: Request, problem: Problem) -> Response | None:
        """A page for a person whose browser asked for one; None for programs."""
        if request.url.path.startswith("/v1") or "text/html" not in request.headers.get("accept", ""):
            return None
        return self.render(request, "error.html", problem.status, problem=problem)


def _coded(text: str) -> Markup:
    """What stands between backticks, as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped just here


def _signed(value: float, digits: int = 1) -> str:
    """+0.3, -1.2, and 0.0 for what rounds to nothing."""
    return f"{value:+.{digits}f}" if round(value, digits) else f"{0:.{digits}f}"


class Static(StaticFiles):
    """Asked for again on each page, and answered 304: an update shows at once."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        if isinstance(response, FileResponse):
            response.headers["Cache-Control"] = "no-cache"
        return response


def static_files() -> Static:
    return Static(directory=str(files("trialsight_serving.viewer") / "static"))
