"""`/v1/recipes`: recipes are checked as they are saved, and come back as they were."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query

from trialsight.errors import RecipeError
from trialsight.recipe import Recipe, parse_recipe
from trialsight_serving.deps import EngineerDep, ReviewerDep, ServiceDep
from trialsight_serving.problems import Problem, not_found
from trialsight_serving.schemas.inspection import RecipeOut
from trialsight_serving.store.recipes import RecipeRecord, find_recipe, list_recipes, save_recipe

router = APIRouter(prefix="/v1/recipes", tags=["recipes"])
RecipeName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["bracket"])]
_EXAMPLE = Recipe("bracket", product="bracket", variant="A").to_json()


@router.get("", response_model=list[RecipeOut])
def get_recipes(service: ServiceDep, who: ReviewerDep) -> list[RecipeOut]:
    """The newest version of each."""
    with service.database.read() as connection:
        return [RecipeOut.of(record) for record in list_recipes(connection, who.organisation)]


@router.get("/{name}", response_model=RecipeOut)
def get_recipe(
    name: RecipeName,
    service: ServiceDep,
    who: ReviewerDep,
    version: Annotated[str | None, Query(pattern=r"^[0-9a-f]{64}$", description="Its sha256; else the newest")] = None,
) -> RecipeOut:
    with service.database.read() as connection:
        record = find_recipe(connection, who.organisation, name, version)
    if record is None:
        raise not_found("recipe", name)
    return RecipeOut.of(record)


@router.put("/{name}", response_model=RecipeOut)
async def put_recipe(
    name: RecipeName,
    content: Annotated[dict[str, Any], Body(examples=[_EXAMPLE], description="The fields of docs/recipes.md")],
    service: ServiceDep,
    who: EngineerDep,
) -> RecipeOut:
    """Save a version. What can't work is refused with the field's name; the versions before stay."""
    try:
        recipe = parse_recipe(content)
    except RecipeError as error:
        raise Problem(422, "recipe-invalid", "The recipe can't work", error.problem, error.remedy) from error
    if recipe.name != name:
        detail = f"the recipe calls itself {recipe.name!r}, the address {name!r}"
        raise Problem(422, "recipe-invalid", "The recipe can't work", detail, "give both the same name")
    record = RecipeRecord(name, recipe.content_hash(), recipe.to_json(), who.name, datetime.now(UTC))
    work = service.writer.submit(lambda connection: save_recipe(connection, who.organisation, record))
    return RecipeOut.of(await asyncio.wrap_future(work))
