"""The application. No module state: two apps in one process know nothing of each other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from trialsight import __version__
from trialsight_serving import problems
from trialsight_serving.access.guard import Guard
from trialsight_serving.access.oidc import Provider
from trialsight_serving.live import News
from trialsight_serving.openapi import document
from trialsight_serving.routes import (
    access,
    book,
    cameras,
    drift,
    frames,
    holds,
    jobs,
    labels,
    models,
    outbox,
    parts,
    recipes,
    selection,
    status,
    stream,
    thresholds,
    usage,
    v2,
    wall,
)
from trialsight_serving.service import open_service
from trialsight_serving.settings import Settings
from trialsight_serving.viewer.pages import make_router
from trialsight_serving.viewer.render import Pages, static_files

_DESCRIPTION = """Cameras post frames, and get a verdict once image, defect map and result are on the disk.

Verdicts: `pass`, `review`, `reject`, `no_verdict`. Errors are RFC 9457 problem+json with a `remedy`."""


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings()
    news = News()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_service(settings, news) as service:
            app.state.service = service
            yield

    # No /docs: FastAPI's pages come from a CDN, and factory networks are closed. /openapi.json is there.
    app = FastAPI(
        title="Trialsight",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=document.operation_id,
    )
    pages = Pages()
    app.state.news = news  # a server that drains ends the open streams first
    answer = problems.answer_with(pages.problem)
    problems.install(app, answer)
    app.add_middleware(Guard, settings=settings, answer=answer)
    # The busiest first: FastAPI asks one after the other.
    v1 = (frames, access, book, cameras, drift, holds, jobs, labels, models, outbox, parts, recipes)
    for module in (*v1, selection, status, stream, thresholds, usage, wall, v2):
        app.include_router(module.router)
    app.include_router(make_router(pages, None if settings.oidc is None else Provider(settings.oidc)))
    app.mount("/static", static_files(), name="static")
    document.install(app)
    return app
