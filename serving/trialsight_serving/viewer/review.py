"""The pages of a review: the queue `/`, the contact sheet `/triage`, one part `/parts/{id}`."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.engine import Connection

from trialsight.verdict import Verdict
from trialsight_serving.access.principal import Principal, Role
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.outlines import outlines
from trialsight_serving.problems import not_found
from trialsight_serving.routes.part_query import PartQuery, PartQueryDep
from trialsight_serving.routes.parts import PartId
from trialsight_serving.schemas.inspection import FrameOut
from trialsight_serving.schemas.review import DecisionKind
from trialsight_serving.selection.audit import escape_rate
from trialsight_serving.selection.informative import beside, listed
from trialsight_serving.service import Service
from trialsight_serving.store.frames import FrameRecord, frames_of_part, how_bad, worst_frames
from trialsight_serving.store.parts import (
    PartRecord,
    Place,
    part_by_id,
    variants_of,
)
from trialsight_serving.store.review.class_images import ImageKind
from trialsight_serving.store.review.classes import list_classes
from trialsight_serving.store.review.decisions import decisions_of
from trialsight_serving.store.review.masks import all_masks_of
from trialsight_serving.store.review.standing import REVIEW_STATES
from trialsight_serving.viewer.drawn import drawn, score_bar
from trialsight_serving.viewer.history import history
from trialsight_serving.viewer.render import Pages

PAGE, SHEET = 48, 120
KINDS = [kind for kind in DecisionKind if kind is not DecisionKind.UNDO]


def add_review(router: APIRouter, pages: Pages) -> None:
    @router.get("/")
    def queue(
        request: Request, service: ServiceDep, who: ReviewerDep, query: PartQueryDep, after: str | None = None
    ) -> Response:
        with service.database.read() as connection:
            shown = _list(connection, service, who, query, after, PAGE)
        return pages.render(request, "queue.html", **shown, path="/")

    @router.get("/triage")
    def triage(
        request: Request, service: ServiceDep, who: ReviewerDep, query: PartQueryDep, after: str | None = None
    ) -> Response:
        """By score, unless the URL says otherwise."""
        if "sort" not in query.model_fields_set:
            query = query.model_copy(update={"sort": "score"})
        with service.database.read() as connection:
            shown = _list(connection, service, who, query, after, SHEET)
        return pages.render(request, "triage.html", **shown, kinds=KINDS, path="/triage")

    @router.get("/parts/{part_id}")
    def part(
        request: Request,
        part_id: PartId,
        service: ServiceDep,
        who: ReviewerDep,
        query: PartQueryDep,
        frame: str = "",
    ) -> Response:
        with service.database.read() as connection:
            record = part_by_id(connection, who.organisation, part_id)
            if record is None:
                raise not_found("part", part_id)
            frames = frames_of_part(connection, who.organisation, part_id)
            decisions = decisions_of(connection, who.organisation, part_id)
            masks = all_masks_of(connection, who.organisation, part_id)
            wanted = query.filter(who, service.settings.audit_rate)
            newer, older = beside(connection, who.organisation, wanted, record)
            classes = list_classes(connection, who.organisation)
        shown = next((one for one in frames if one.id == frame), min(_newest_of_views(frames), key=how_bad))
        suffix = query.suffix()
        return pages.render(
            request,
            "part.html",
            part=record,
            frame=FrameOut.of(shown),
            drawn=drawn(service, record, shown, any(mask.frame_id == shown.id for mask in masks)),
            frames=frames,
            bar=score_bar(shown.score, shown.thresholds),
            events=history(frames, decisions, masks),
            kinds=KINDS,
            classes=classes,
            may_change=who.role in (Role.ENGINEER, Role.ADMINISTRATOR),
            book_kinds=list(ImageKind),
            query=suffix,
            back=f"{'/triage' if query.sort == 'score' else '/'}{suffix}",
            newer=f"/parts/{newer}{suffix}" if newer else None,
            older=f"/parts/{older}{suffix}" if older else None,
        )


def _list(
    connection: Connection, service: Service, who: Principal, query: PartQuery, after: str | None, size: int
) -> dict[str, Any]:
    """What the queue and the contact sheet have in common."""
    wanted = query.filter(who, service.settings.audit_rate)
    found = listed(connection, who.organisation, wanted, query.place(after), size + 1)
    parts = found[:size]
    worst = worst_frames(connection, who.organisation, [part.id for part in parts])
    lines = list(service.tenants.of(who.organisation).lines())
    return {
        "parts": parts,
        "pictures": {part.id: _picture(part, worst.get(part.id)) for part in parts},
        "wanted": query,
        "escapes": escape_rate(connection, who.organisation, wanted, wanted.audit_rate) if wanted.audit_rate else None,
        "query": query.suffix(),
        "asked": bool(query.model_dump(exclude_defaults=True, exclude={"sort"})),
        "more": query.suffix(after=str(Place.of(parts[-1], query.sort))) if len(found) > size else None,
        "first_page": after is None,
        "lines": lines,
        "verdicts": list(Verdict),
        "review_states": [*REVIEW_STATES, "mine"],
        "variants": variants_of(connection, who.organisation),
        "classes": list_classes(connection, who.organisation),
        "stream": f"/v1/lines/{query.line}/stream" if query.line in lines else "/v1/stream",
    }


def _picture(part: PartRecord, worst: FrameRecord | None) -> dict[str, Any]:
    if worst is None:
        return {"frame_id": part.last_frame_id, "size": (1, 1), "outlines": []}
    size = (worst.width_px, worst.height_px)
    return {"frame_id": worst.id, "size": size, "outlines": outlines(worst.regions, size)}


def _newest_of_views(frames: list[FrameRecord]) -> list[FrameRecord]:
    return list({frame.view: frame for frame in reversed(frames)}.values())
