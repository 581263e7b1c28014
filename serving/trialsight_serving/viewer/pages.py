"""The viewer's pages, put together: those of the review, of thresholds and models, and of logging in."""

from fastapi import APIRouter

from trialsight_serving.access.oidc import Provider
from trialsight_serving.viewer.book import add_book
from trialsight_serving.viewer.drift import add_drift
from trialsight_serving.viewer.login import add_login
from trialsight_serving.viewer.models import add_models
from trialsight_serving.viewer.render import Pages
from trialsight_serving.viewer.review import add_review
from trialsight_serving.viewer.thresholds import add_thresholds
from trialsight_serving.viewer.wall import add_wall


def make_router(pages: Pages, provider: Provider | None) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    add_review(router, pages)
    add_wall(router, pages)
    add_thresholds(router, pages)
    add_drift(router, pages)
    add_models(router, pages)
    add_book(router, pages)
    add_login(router, pages, provider)
    return router
