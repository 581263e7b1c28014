"""`/v1/models`: which versions there are and what each does, promotion, rollback, and a challenger's evidence."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query

from trialsight.errors import PackageError, TrialsightError
from trialsight_serving.access.principal import LOCAL, Principal
from trialsight_serving.deps import EngineerDep, ReviewerDep, ServiceDep
from trialsight_serving.models.changes import Change, Promotion
from trialsight_serving.models.gate import GateError
from trialsight_serving.models.manager import Fault, ModelManager
from trialsight_serving.models.registry import CHALLENGER, CHAMPION, RegistryError, UnknownVersionError
from trialsight_serving.openapi.errors import problems
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.schemas.gate import GateOut, PastPromotionOut
from trialsight_serving.schemas.models import (
    ChallengerIn,
    ChallengerOut,
    ModelDetail,
    ModelOut,
    ModelsOut,
    PromoteIn,
    PromotionOut,
    RollbackIn,
    VersionOut,
    VersionState,
)
from trialsight_serving.schemas.shadow import DisagreementOut, DisagreementPage, EvidenceOut
from trialsight_serving.store.audit import operator
from trialsight_serving.store.evidence.promotions import last_promotion
from trialsight_serving.store.evidence.shadows import disagreements, evidence

router = APIRouter(prefix="/v1/models", tags=["models"])
T = TypeVar("T")
RecipeName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["bracket"])]
Version = Annotated[str | None, Query(pattern=r"^[0-9]{1,9}$", description="Else the one of now")]
_PROBLEMS = problems(
    {
        404: "No such recipe or version",
        409: "The gate refused, or there is nothing to go back to; nothing was changed",
        422: "A field is not valid",
        503: "The model registry does not answer",
    }
)


@router.get("", response_model=ModelsOut)
async def get_models(service: ServiceDep, who: ReviewerDep) -> ModelsOut:
    """The live versions, and why a newer champion is not among them."""
    manager = service.tenants.of(who.organisation)
    recipes = sorted({model.recipe for model in manager.models()} | {recipe for recipe, _ in manager.faults})
    return ModelsOut(
        models=[_describe(manager, recipe) for recipe in recipes],
        registry_problem=manager.registry_problem,
        memory_bytes=manager.memory_bytes(),
    )


@router.get("/{recipe}", response_model=ModelDetail)
def get_model(recipe: RecipeName, service: ServiceDep, who: ReviewerDep) -> ModelDetail:
    """One recipe: what is live, and every version in the registry with its metrics."""
    manager = service.tenants.of(who.organisation)
    problem: str | None = None
    try:
        infos = manager.registry.versions(recipe)
    except RegistryError as error:
        infos, problem = [], str(error)
    if not infos and problem is None and manager.live(recipe) is None:
        raise not_found("recipe", recipe)
    model = _describe(manager, recipe)
    states = {
        model.previous: VersionState.PREVIOUS,
        model.challenger: VersionState.CHALLENGER,
        model.version: VersionState.LIVE,
    }
    versions = [
        VersionOut(
            version=info.version,
            created_at=info.created_at,
            run_id=info.run_id,
            metrics=dict(info.metrics),
            state=states.get(info.version),
            is_loaded=manager.is_loaded(recipe, info.version),
        )
        for info in infos
    ]
    with service.database.read() as connection:
        found = None if model.version is None else last_promotion(connection, who.organisation, recipe, model.version)
    past = None if found is None else PastPromotionOut.of(found)
    return ModelDetail(model=model, versions=versions, promotion=past, registry_problem=problem)


@router.get("/{recipe}/gate", response_model=GateOut, responses=_PROBLEMS)
def get_gate(
    recipe: RecipeName,
    version: Annotated[str, Query(pattern=r"^[0-9]{1,9}$", description="The version to be promoted")],
    service: ServiceDep,
    who: EngineerDep,
) -> GateOut:
    """How the gate would find the promotion of a version now, and what to do where it would refuse. Changes nothing."""
    models = service.tenants.of(who.organisation)
    return GateOut.of(_explained(lambda: models.judge(recipe, version, _person(who))))


@router.post("/{recipe}/promote", response_model=PromotionOut, responses=_PROBLEMS)
def promote(recipe: RecipeName, wanted: PromoteIn, service: ServiceDep, who: EngineerDep) -> PromotionOut:
    """Make a version the champion, if it passes the gate. It is live when this answers."""
    change = Change(who.name, wanted.reason, who.organisation)
    models, approver = service.tenants.of(who.organisation), wanted.approver or _person(who)
    return _promoted(_explained(lambda: models.promote(recipe, wanted.version, wanted.line, change, approver)))


@router.post("/{recipe}/rollback", response_model=PromotionOut, responses=_PROBLEMS)
def rollback(recipe: RecipeName, wanted: RollbackIn, service: ServiceDep, who: EngineerDep) -> PromotionOut:
    """Bring back the champion before this one, at once; with MLflow away too, which then hears of it later."""
    models, change = service.tenants.of(who.organisation), Change(who.name, wanted.reason, who.organisation)
    return _promoted(_explained(lambda: models.rollback(recipe, change)))


@router.put("/{recipe}/challenger", response_model=ChallengerOut, responses=_PROBLEMS)
def put_challenger(recipe: RecipeName, wanted: ChallengerIn, service: ServiceDep, who: EngineerDep) -> ChallengerOut:
    """Let a version run in the champion's shadow, on live frames and in spare time; it never gives a verdict."""
    change = Change(who.name, wanted.reason, who.organisation)
    done = _explained(lambda: service.tenants.of(who.organisation).challenge(recipe, wanted.version, change))
    return ChallengerOut(recipe=recipe, champion=done.champion, version=done.version, before=done.before)


@router.get("/{recipe}/evidence", response_model=EvidenceOut)
def get_evidence(
    recipe: RecipeName, service: ServiceDep, who: ReviewerDep, champion: Version = None, challenger: Version = None
) -> EvidenceOut:
    """How the challenger compares with the champion, on frames that both have seen."""
    pair = _pair(service.tenants.of(who.organisation), recipe, champion, challenger)
    with service.database.read() as connection:
        return EvidenceOut.of(evidence(connection, who.organisation, recipe, *pair))


@router.get("/{recipe}/disagreements", response_model=DisagreementPage)
def get_disagreements(
    recipe: RecipeName,
    service: ServiceDep,
    who: ReviewerDep,
    champion: Version = None,
    challenger: Version = None,
    after: Annotated[int | None, Query(ge=0, lt=2**63, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DisagreementPage:
    """Frames on which champion and challenger say different things."""
    pair = _pair(service.tenants.of(who.organisation), recipe, champion, challenger)
    with service.database.read() as connection:
        found = disagreements(connection, who.organisation, recipe, *pair, after, limit + 1)
    following = str(found[limit - 1].id) if len(found) > limit else None
    return DisagreementPage(disagreements=[DisagreementOut.of(record) for record in found[:limit]], next=following)


def _pair(manager: ModelManager, recipe: str, champion: str | None, challenger: str | None) -> tuple[str, str]:
    live, shadow = manager.live(recipe), manager.challenger(recipe)
    champion = champion or (live.version if live else None)
    challenger = challenger or (shadow.version if shadow else None)
    if champion is None or challenger is None:
        which = "champion" if champion is None else "challenger"
        detail = f"{recipe} has no {which} now, and the request names none"
        raise Problem(404, f"{which}-not-found", f"No {which}", detail, "give ?champion=VERSION&challenger=VERSION")
    return champion, challenger


def _person(who: Principal) -> str:
    """Who answers for a change. A service that asks nobody for a key serves this machine alone: its user does."""
    return f"{who.name}:{operator().partition(':')[2]}" if who == LOCAL else who.name


def _explained(work: Callable[[], T]) -> T:
    try:
        return work()
    except UnknownVersionError as error:
        raise Problem(404, "version-not-found", "No such version", error.problem, error.remedy) from error
    except RegistryError as error:
        headers = {"Retry-After": "10"}
        raise Problem(503, "registry-away", "The registry is away", error.problem, error.remedy, headers) from error
    except GateError as error:
        lines = [] if error.gate is None else GateOut.of(error.gate).model_dump()["conditions"]
        title = "The gate refused the model"
        raise Problem(409, "gate-refused", title, error.problem, error.remedy, conditions=lines) from error
    except PackageError as error:
        raise Problem(409, "gate-refused", "The gate refused the model", error.problem, error.remedy) from error
    except TrialsightError as error:
        raise Problem(409, "not-possible", "This can't be done now", error.problem, error.remedy) from error


def _promoted(done: Promotion) -> PromotionOut:
    golden = [asdict(result) for result in done.gate.results] if done.gate is not None else []
    return PromotionOut.model_validate(
        {
            "recipe": done.recipe,
            "version": done.version,
            "previous": done.previous,
            "lines": list(done.lines),
            "seconds": done.seconds,
            "golden": golden,
            "gate": None if done.conditions is None else GateOut.of(done.conditions),
            "evidence": None if done.evidence is None else EvidenceOut.of(done.evidence),
        }
    )


def _describe(manager: ModelManager, recipe: str) -> ModelOut:
    live, challenger = manager.live(recipe), manager.challenger(recipe)
    return ModelOut(
        recipe=recipe,
        version=live.version if live else None,
        previous=manager.before(recipe),
        challenger=challenger.version if challenger else None,
        graph_sha256=live.card.graph_sha256 if live else None,
        activated_at=live.activated_at if live else None,
        detector=live.card.detector if live else None,
        thresholds=live.thresholds if live else None,
        metrics=live.card.metrics if live else None,
        fault=_said(manager.faults.get((recipe, CHAMPION))),
        challenger_fault=_said(manager.faults.get((recipe, CHALLENGER))),
    )


def _said(fault: Fault | None) -> str | None:
    return None if fault is None else f"version {fault.version}: {fault.problem}"
