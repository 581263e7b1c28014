"""`/v1/recipes/{name}/thresholds`: what the live model's verdicts go by; `/scores`: what people chose them from."""

import asyncio

from fastapi import APIRouter
from sqlalchemy.engine import Connection

from trialsight.chosen import Chosen
from trialsight.errors import TrialsightError
from trialsight_serving.access.principal import Principal
from trialsight_serving.deps import EngineerDep, ReviewerDep, ServiceDep
from trialsight_serving.models.choose import ChangedError, Choice, UnsafeError, choose, history, recipe_of
from trialsight_serving.models.shelf import LiveModel
from trialsight_serving.problems import Problem
from trialsight_serving.routes.recipes import RecipeName
from trialsight_serving.schemas.thresholds import ChosenOut, Cuts, ScoresOut, ThresholdsIn, ThresholdsOut
from trialsight_serving.service import Service
from trialsight_serving.store.evidence.scores import scores_of

router = APIRouter(prefix="/v1/recipes", tags=["recipes"])


@router.get("/{name}/thresholds", response_model=ThresholdsOut)
def get_thresholds(name: RecipeName, service: ServiceDep, who: ReviewerDep) -> ThresholdsOut:
    """What the live model's verdicts go by, and who chose what before."""
    model = _live(service, who, name)
    with service.database.read() as connection:
        return _out(connection, who.organisation, model)


@router.get("/{name}/scores", response_model=ScoresOut)
def get_scores(name: RecipeName, service: ServiceDep, who: ReviewerDep) -> ScoresOut:
    """The live model's scores, by what people decided about the parts."""
    model = _live(service, who, name)
    with service.database.read() as connection:
        found = scores_of(connection, who.organisation, name, model.version)
    return ScoresOut.model_validate({"recipe": name, "model_version": model.version, **vars(found)})


@router.put("/{name}/thresholds", response_model=ThresholdsOut)
async def put_thresholds(
    name: RecipeName, wanted: ThresholdsIn, service: ServiceDep, who: EngineerDep
) -> ThresholdsOut:
    """Saves a new version of the recipe. Frames that come after this answer are judged by it."""
    model = _live(service, who, name)
    if model.version != wanted.model_version:
        raise _changed(f"version {model.version} of {name} is live by now, not version {wanted.model_version}")
    chosen = None
    if wanted.t1 is not None and wanted.t2 is not None:
        chosen = Chosen(wanted.t1, wanted.t2, model.inspector.package.variant_name, wanted.reason)
    choice = Choice(chosen, wanted.costs, wanted.based_on, who.name, wanted.reason)
    work = service.writer.submit(lambda connection: choose(connection, who.organisation, model, choice))
    try:
        await asyncio.wrap_future(work)
    except ChangedError as error:
        raise _changed(error.problem) from error
    except UnsafeError as error:
        raise Problem(409, "defect-would-pass", "A known defect would pass", error.problem, error.remedy) from error
    except TrialsightError as error:
        raise Problem(409, "not-possible", "This can't be done now", error.problem, error.remedy) from error
    await asyncio.to_thread(service.tenants.of(who.organisation).refresh_lines)
    return await asyncio.to_thread(get_thresholds, name, service, who)


def _live(service: Service, who: Principal, recipe: str) -> LiveModel:
    model = service.tenants.of(who.organisation).live(recipe)
    if model is None:
        detail = f"recipe {recipe} has no model that gives verdicts"
        raise Problem(404, "no-champion", "No model is live", detail, f"trialsight promote {recipe} VERSION")
    return model


def _out(connection: Connection, organisation: str, model: LiveModel) -> ThresholdsOut:
    recipe, version = recipe_of(connection, organisation, model)
    package = model.inspector.package
    now, card = model.thresholds, model.card
    saved = [
        (record, chosen, chosen and chosen.thresholds(package))
        for record, chosen in history(connection, organisation, model)
    ]
    return ThresholdsOut(
        recipe=model.recipe,
        model_version=model.version,
        variant=package.variant_name,
        thresholds=Cuts(t1=now.t1, t2=now.t2),
        calibrated=Cuts(t1=card.thresholds.t1, t2=card.thresholds.t2),
        promise=str(card.promise),
        costs=recipe.calibration.costs if recipe else None,
        based_on=version,
        history=[
            ChosenOut(
                version=record.sha256,
                saved_by=record.saved_by,
                saved_at=record.saved_at,
                t1=cuts.t1 if cuts else None,
                t2=cuts.t2 if cuts else None,
                reason=chosen.reason if chosen else "",
            )
            for record, chosen, cuts in saved
        ],
    )


def _changed(detail: str) -> Problem:
    return Problem(409, "changed-meanwhile", "Somebody else changed it", detail, "look at it again, then save")
