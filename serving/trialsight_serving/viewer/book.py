"""The defect book `/book`: what each class means, and pictures of what counts and what doesn't."""

from fastapi import APIRouter, Request, Response

from trialsight_serving.access.principal import Role
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.routes.book import get_classes
from trialsight_serving.store.review.class_images import ImageKind
from trialsight_serving.viewer.render import Pages


def add_book(router: APIRouter, pages: Pages) -> None:
    @router.get("/book")
    def book(request: Request, service: ServiceDep, who: ReviewerDep) -> Response:
        """Reviewers read; engineers write."""
        classes = get_classes(service, who)
        free = [number for number in range(1, 10) if all(one.number != number for one in classes)]
        may_change = who.role in (Role.ENGINEER, Role.ADMINISTRATOR)
        return pages.render(
            request, "book.html", classes=classes, free=free, kinds=list(ImageKind), may_change=may_change
        )
