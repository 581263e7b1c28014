"""The viewer's pages: `/`, `/parts/{id}`, `/login`."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from trialsight.verdict import Verdict
from trialsight_serving.access.guard import COOKIE as SESSION
from trialsight_serving.access.keys import close_session, open_session, who_has_key
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.problems import not_found
from trialsight_serving.routes.parts import cursor
from trialsight_serving.schemas import DecisionKind, DecisionOut, FrameOut
from trialsight_serving.service import Service
from trialsight_serving.store.frames import frames_of_part
from trialsight_serving.store.parts import PartFilter, decisions_of, list_parts, neighbours, part_by_id
from trialsight_serving.viewer.render import Pages

PAGE = 48
_DRAWN = {"width_px", "height_px", "regions", "thresholds", "map_url"}  # what the overlay needs
_Text = Annotated[str, Query(max_length=128)]


def make_router(pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def parts_page(
        request: Request,
        service: ServiceDep,
        who: ReviewerDep,
        line: _Text = "",
        verdict: Annotated[list[Verdict] | None, Query()] = None,
        trial: _Text = "",
        part: _Text = "",
        unreviewed: bool = False,
        after: str | None = None,
    ) -> Response:
        wanted = _filter(line, verdict, trial, part, unreviewed)
        with service.database.read() as connection:
            found = list_parts(connection, who.organisation, wanted, cursor(after), PAGE + 1)
        query = _query(wanted)
        older = f"?{urlencode([*query, ('after', found[PAGE - 1].last_seq)])}" if len(found) > PAGE else None
        return pages.render(
            request,
            "parts.html",
            parts=found[:PAGE],
            wanted=wanted,
            query=_suffix(query),
            older=older,
            first_page=after is None,
            lines=list(service.models.lines()),
            verdicts=list(Verdict),
            stream=f"/v1/lines/{line}/stream" if line in service.models.lines() else "/v1/stream",
        )

    @router.get("/parts/{part_id}")
    def part_page(
        request: Request,
        part_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
        service: ServiceDep,
        who: ReviewerDep,
        line: _Text = "",
        verdict: Annotated[list[Verdict] | None, Query()] = None,
        trial: _Text = "",
        part: _Text = "",
        unreviewed: bool = False,
        frame: str = "",
    ) -> Response:
        wanted = _filter(line, verdict, trial, part, unreviewed)
        with service.database.read() as connection:
            record = part_by_id(connection, who.organisation, part_id)
            if record is None:
                raise not_found("part", part_id)
            frames = frames_of_part(connection, who.organisation, part_id)
            decisions = decisions_of(connection, who.organisation, part_id)
            newer, older = neighbours(connection, who.organisation, wanted, record.last_seq)
        shown = next((one for one in frames if one.id == frame), frames[0])
        suffix = _suffix(_query(wanted))
        out = FrameOut.of(shown)
        return pages.render(
            request,
            "part.html",
            part=record,
            frame=out,
            drawn=out.model_dump_json(include=_DRAWN),
            frames=frames,
            scale=_scale(shown.score, shown.thresholds),
            decisions=[DecisionOut.of(decision) for decision in decisions],
            kinds=list(DecisionKind),
            query=suffix,
            newer=f"/parts/{newer}{suffix}" if newer else None,
            older=f"/parts/{older}{suffix}" if older else None,
        )

    @router.get("/login", name="login")
    def login_page(request: Request, service: ServiceDep, next: str = "/") -> Response:
        if service.settings.open_access:
            return RedirectResponse("/", 303)
        return pages.render(request, "login.html", next=_inside(next), wrong=False)

    @router.post("/login")
    async def login(request: Request, service: ServiceDep) -> Response:
        async with request.form(max_files=0, max_fields=4) as form:
            key, target = str(form.get("key", "")).strip(), _inside(str(form.get("next", "/")))
        token = await _open_session(service, key)
        if token is None:
            return pages.render(request, "login.html", next=target, wrong=True, status=401)
        response = RedirectResponse(target, 303)
        seconds = round(service.settings.session_hours * 3600)
        secure = request.url.scheme == "https"
        response.set_cookie(SESSION, token, max_age=seconds, httponly=True, samesite="strict", secure=secure)
        return response

    @router.post("/logout")
    async def logout(request: Request, service: ServiceDep) -> Response:
        token = request.cookies.get(SESSION)
        if token is not None:
            await asyncio.wrap_future(service.writer.submit(lambda connection: close_session(connection, token)))
        response = RedirectResponse("/login", 303)
        response.delete_cookie(SESSION)
        return response

    return router


def _filter(line: str, verdict: list[Verdict] | None, trial: str, serial: str, unreviewed: bool) -> PartFilter:
    """A form sends empty fields; they mean any."""
    return PartFilter(
        line=line or None,
        verdict=tuple(one.value for one in verdict or ()),
        trial=trial or None,
        serial=serial or None,
        unreviewed=unreviewed,
    )


def _query(wanted: PartFilter) -> list[tuple[str, Any]]:
    """The filter as it stands in the URL."""
    given = asdict(wanted)
    pairs: list[tuple[str, Any]] = [("verdict", verdict) for verdict in given.pop("verdict")]
    if given.pop("unreviewed"):
        pairs.append(("unreviewed", "true"))
    if (serial := given.pop("serial")) is not None:
        pairs.append(("part", serial))
    return [*pairs, *((name, value) for name, value in given.items() if value is not None)]


def _suffix(query: list[tuple[str, Any]]) -> str:
    return f"?{urlencode(query)}" if query else ""


def _scale(score: float | None, thresholds: dict[str, float]) -> dict[str, float] | None:
    """Where score, T1 and T2 lie on a bar, in percent of its width."""
    if score is None:
        return None
    full = max(thresholds["t2"] * 1.6, score * 1.1) or 1.0
    places = {"t1": thresholds["t1"], "t2": thresholds["t2"], "score": score}
    return {name: round(100 * min(max(value / full, 0.0), 1.0), 2) for name, value in places.items()}


def _inside(target: str) -> str:
    """Only a path of this site: a login must not send anyone elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


async def _open_session(service: Service, key: str) -> str | None:
    def look() -> bool:
        with service.database.read() as connection:
            return who_has_key(connection, key) is not None

    if not key or not await asyncio.to_thread(look):
        return None
    hours = service.settings.session_hours
    return await asyncio.wrap_future(service.writer.submit(lambda connection: open_session(connection, key, hours)))
