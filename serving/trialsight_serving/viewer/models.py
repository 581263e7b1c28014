"""The models page `/models`: each recipe's versions, the challenger's evidence, and its retraining; and the cameras."""

from typing import Any

from fastapi import APIRouter, Request, Response

from trialsight_serving.access.principal import Principal, Role
from trialsight_serving.deps import ReviewerDep, ServiceDep
from trialsight_serving.models.registry import RegistryError
from trialsight_serving.routes.cameras import get_cameras
from trialsight_serving.routes.models import get_model
from trialsight_serving.schemas.models import ModelDetail
from trialsight_serving.service import Service
from trialsight_serving.store.evidence.shadows import disagreements, evidence
from trialsight_serving.store.frames import frame_by_id
from trialsight_serving.viewer.render import Pages

VERSIONS, DISAGREEMENTS = 20, 12


def add_models(router: APIRouter, pages: Pages) -> None:
    @router.get("/models")
    def models_page(request: Request, service: ServiceDep, who: ReviewerDep) -> Response:
        """Reviewers look; what changes something is for engineers."""
        models = service.tenants.of(who.organisation)
        shown, problem = [], models.registry_problem
        try:
            registered = set(models.registry.aliases())
        except RegistryError as error:
            registered, problem = set(), str(error)
        live = {model.recipe for model in models.models()}
        faulty = {recipe for recipe, _ in models.faults}
        for recipe in sorted(registered | live | faulty if problem is None else live):
            detail = get_model(recipe, service, who)
            problem = problem or detail.registry_problem
            shown.append({"detail": detail, "versions": _versions(detail), **_evidence(service, who, detail)})
        may_change = who.role in (Role.ENGINEER, Role.ADMINISTRATOR)
        cameras = get_cameras(service, who)
        return pages.render(
            request, "models.html", recipes=shown, problem=problem, may_change=may_change, cameras=cameras
        )


def _versions(detail: ModelDetail) -> list[dict[str, Any]]:
    """The newest, and older ones that the service uses. A run without metrics is told by the live package's card."""
    found = []
    for number, one in enumerate(detail.versions):
        if number < VERSIONS or one.state is not None:
            card = detail.model.metrics if one.version == detail.model.version else None
            found.append({"of": one, "metrics": one.metrics or card or {}})
    return found


def _evidence(service: Service, who: Principal, detail: ModelDetail) -> dict[str, Any]:
    model = detail.model
    if model.version is None or model.challenger is None:
        return {"evidence": None, "disagreements": []}
    key = (who.organisation, model.recipe, model.version, model.challenger)
    with service.database.read() as connection:
        found = disagreements(connection, *key, None, DISAGREEMENTS)
        frames = [(one, frame_by_id(connection, who.organisation, one.frame_id)) for one in found]
        return {
            "evidence": evidence(connection, *key),
            "disagreements": [(one, frame) for one, frame in frames if frame is not None],
        }
