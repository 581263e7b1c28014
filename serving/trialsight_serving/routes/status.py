"""Lines, and what orchestrators and Prometheus ask."""

import asyncio

import sqlalchemy as sa
from fastapi import APIRouter, Response
from sqlalchemy.exc import SQLAlchemyError

from trialsight_serving.admission import lane
from trialsight_serving.deps import AnyoneDep, HomeDep, ServiceDep
from trialsight_serving.models.manager import ModelManager
from trialsight_serving.models.shelf import LiveModel
from trialsight_serving.openapi.content import text
from trialsight_serving.schemas.inspection import LineOut, ModelRef, ReadyOut
from trialsight_serving.service import Service

router = APIRouter()
_METRICS = text("For Prometheus", "text/plain", 'trialsight_frames_total{line="L1",verdict="pass"} 812.0\n')


@router.get("/v1/lines", response_model=list[LineOut], tags=["lines"])
async def get_lines(service: ServiceDep, who: AnyoneDep) -> list[LineOut]:
    """Those that the caller may use."""
    models = service.tenants.of(who.organisation)
    return [
        LineOut(
            name=line.name,
            recipe=line.recipe,
            views=dict(line.views),
            model=None if line.views else _ref(_model(models, line.recipe)),
            depth=service.admission.depth(lane(who.organisation, line.name)),
        )
        for line in models.lines().values()
        if who.may_use(line.name)
    ]


@router.get("/livez", tags=["operation"])
async def livez() -> dict[str, bool]:
    """Whether the process answers."""
    return {"live": True}


@router.get("/readyz", response_model=ReadyOut, responses={503: {"model": ReadyOut}}, tags=["operation"])
async def readyz(service: ServiceDep, response: Response) -> ReadyOut:
    """Whether frames get verdicts: the store answers and a champion is live."""
    reason = await unready(service)
    response.status_code = 200 if reason is None else 503
    return ReadyOut(ready=reason is None, reason=reason)


@router.get("/metrics", response_class=Response, responses=_METRICS, tags=["operation"])
async def metrics(service: ServiceDep, who: HomeDep) -> Response:  # noqa: ARG001 - it tells of all organisations
    """In Prometheus's text format; lines of other organisations are called ORGANISATION/LINE."""
    for name in [lane(models.organisation, line) for models in service.tenants.all() for line in models.lines()]:
        service.metrics.depth.labels(name).set(service.admission.depth(name))
    service.metrics.show_usage(await asyncio.to_thread(service.meter.everybody))
    service.metrics.ready.set(await unready(service) is None)
    text = await asyncio.to_thread(service.metrics.render)  # some of it is looked up in the database
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def unready(service: Service) -> str | None:
    """Why frames get no verdicts, or None. Asked in a thread of its own: it never queues behind other work."""
    return await asyncio.get_running_loop().run_in_executor(service.probes, _unready, service)


def _unready(service: Service) -> str | None:
    if service.news.closing:
        return "the service is stopping"
    try:
        with service.database.read() as connection:
            connection.execute(sa.text("SELECT 1 FROM organisations"))
    except SQLAlchemyError as error:
        return f"the database does not answer: {error}"
    if not any(models.models() for models in service.tenants.all()):
        return "no champion is live; promote one: trialsight promote RECIPE VERSION"
    return None


def _model(models: ModelManager, recipe: str | None) -> LiveModel | None:
    live = models.models()
    if recipe is None:
        return live[0] if len(live) == 1 else None
    return models.live(recipe)


def _ref(model: LiveModel | None) -> ModelRef | None:
    if model is None:
        return None
    return ModelRef(recipe=model.recipe, version=model.version, graph_sha256=model.card.graph_sha256)
