"""Recipes as they were saved, append-only: a change is a new version, known by the sha256 of what it says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store import audit
from trialsight_serving.store.tables import recipes


@dataclass(frozen=True)
class RecipeRecord:
    """`sha256`: of the content, the version. `content`: plain data that `parse_recipe` takes."""

    name: str
    sha256: str
    content: dict[str, Any]
    saved_by: str
    saved_at: datetime


_COLUMNS = (recipes.c.name, recipes.c.sha256, recipes.c.content, recipes.c.saved_by, recipes.c.saved_at)


def save_recipe(connection: Connection, organisation: str, record: RecipeRecord) -> RecipeRecord:
    """Append a version; saving what the newest one says already changes nothing and gives that one."""
    newest = find_recipe(connection, organisation, record.name)
    if newest is not None and newest.sha256 == record.sha256:
        return newest
    connection.execute(recipes.insert(), {"organisation_id": organisation, **vars(record)})
    old = None if newest is None else {"version": newest.sha256}
    subject, new = f"recipe/{record.name}", {"version": record.sha256}
    audit.record(connection, organisation, record.saved_by, "recipe.saved", subject, old, new, record.saved_at)
    return record


def find_recipe(connection: Connection, organisation: str, name: str, sha256: str | None = None) -> RecipeRecord | None:
    """The newest version, or the one that `sha256` names."""
    query = sa.select(*_COLUMNS).where(recipes.c.organisation_id == organisation, recipes.c.name == name)
    if sha256 is not None:
        query = query.where(recipes.c.sha256 == sha256)
    row = connection.execute(query.order_by(recipes.c.id.desc()).limit(1)).first()
    return None if row is None else RecipeRecord(*row)


def list_recipes(connection: Connection, organisation: str) -> list[RecipeRecord]:
    """The newest version of each, by name."""
    newest = sa.select(sa.func.max(recipes.c.id)).where(recipes.c.organisation_id == organisation)
    query = sa.select(*_COLUMNS).where(recipes.c.id.in_(newest.group_by(recipes.c.name))).order_by(recipes.c.name)
    return [RecipeRecord(*row) for row in connection.execute(query)]


def recipe_versions(connection: Connection, organisation: str, name: str, most: int) -> list[RecipeRecord]:
    """As they were saved, newest first."""
    query = sa.select(*_COLUMNS).where(recipes.c.organisation_id == organisation, recipes.c.name == name)
    return [RecipeRecord(*row) for row in connection.execute(query.order_by(recipes.c.id.desc()).limit(most))]
