"""The line wall `/wall`: one large verdict a line, for a screen on the factory floor."""

from fastapi import APIRouter, Request, Response

from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.viewer.render import Pages


def add_wall(router: APIRouter, pages: Pages) -> None:
    @router.get("/wall")
    def wall(request: Request, service: ServiceDep, who: ReviewerDep) -> Response:  # noqa: ARG001 - a key is needed
        """Says that there is no connection until its script has heard from the service."""
        return pages.render(request, "wall.html")
