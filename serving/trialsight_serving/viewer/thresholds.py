"""The threshold page `/thresholds`: what people decided, by score, and where T1 and T2 should lie."""

from fastapi import APIRouter, Request, Response

from trialsight_serving.access.principal import Role
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.routes.thresholds import get_thresholds
from trialsight_serving.viewer.render import Pages


def add_thresholds(router: APIRouter, pages: Pages) -> None:
    @router.get("/thresholds")
    def thresholds(request: Request, service: ServiceDep, who: ReviewerDep, recipe: str = "") -> Response:
        """Reviewers look; engineers save."""
        recipes = [model.recipe for model in service.tenants.of(who.organisation).models()]
        shown = recipe if recipe in recipes else next(iter(recipes), None)
        now = None if shown is None else get_thresholds(shown, service, who)
        may_change = who.role in (Role.ENGINEER, Role.ADMINISTRATOR)
        return pages.render(request, "thresholds.html", recipes=recipes, now=now, may_change=may_change)
