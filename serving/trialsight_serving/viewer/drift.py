"""The drift page `/drift`: what each camera shows against what it showed, its trends, and its alarms."""

from typing import Any

from fastapi import APIRouter, Request, Response

from trialsight_serving.access.principal import Role
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.drift.state import drift_of
from trialsight_serving.schemas.drift import WatchedOut
from trialsight_serving.viewer.render import Pages

WIDTH, HALF, MOST = 240, 24, 6.0  # of a trend, in its own units; larger effects are cut off
ALARMS = 8


def add_drift(router: APIRouter, pages: Pages) -> None:
    @router.get("/drift")
    def drift(request: Request, service: ServiceDep, who: ReviewerDep, line: str = "") -> Response:
        """Reviewers look and acknowledge; to retrain, or to take what is seen as usual, is for engineers."""
        lines = [name for name in sorted(service.tenants.of(who.organisation).lines()) if who.may_use(name)]
        shown: list[dict[str, Any]] = []
        with service.database.read() as connection:
            for name in [line] if line in lines else lines:
                found = drift_of(connection, who.organisation, name, service.settings.drift)
                shown.append(
                    {
                        "line": name,
                        "views": [{"of": one, "trends": _trends(one)} for one in found.watched],
                        "alarms": found.alarms[:ALARMS],
                    }
                )
        may_change = who.role in (Role.ENGINEER, Role.ADMINISTRATOR)
        knobs = service.settings.drift
        return pages.render(request, "drift.html", lines=shown, knobs=knobs, may_change=may_change)


def _trends(view: WatchedOut) -> list[dict[str, Any]]:
    """A line for each measure of the newest look: its effect from look to look, up where it has grown."""
    count = max(2, len(view.looks))
    trends = []
    for one in view.findings:
        points = [
            f"{WIDTH * index / (count - 1):.1f},{HALF - HALF * max(-MOST, min(MOST, effect)) / MOST:.1f}"
            for index, look in enumerate(view.looks)
            if (effect := look.effects.get(one.measure)) is not None
        ]
        trends.append({"of": one, "points": " ".join(points)})
    return trends
