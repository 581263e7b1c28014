"""Lines, the recipe each is bound to, and which model version is active per recipe."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight_serving.store.tables import ORGANISATION, active_models, lines


@dataclass(frozen=True)
class LineRecord:
    name: str
    recipe: str | None


@dataclass(frozen=True)
class ActiveModel:
    recipe: str
    version: str
    graph_sha256: str
    activated_at: datetime


def list_lines(connection: Connection, organisation: str = ORGANISATION) -> list[LineRecord]:
    query = sa.select(lines.c.name, lines.c.recipe).where(lines.c.organisation_id == organisation)
    return [LineRecord(*row) for row in connection.execute(query.order_by(lines.c.name))]


def add_line(connection: Connection, name: str, recipe: str | None = None, organisation: str = ORGANISATION) -> None:
    if any(line.name == name for line in list_lines(connection, organisation)):
        raise TrialsightError(f"line {name} exists already", "choose another name")
    values = {"organisation_id": organisation, "name": name, "recipe": recipe, "created_at": datetime.now(UTC)}
    connection.execute(lines.insert(), values)


def bind_line(connection: Connection, name: str, recipe: str, organisation: str = ORGANISATION) -> None:
    mine = (lines.c.organisation_id == organisation) & (lines.c.name == name)
    if connection.execute(lines.update().where(mine), {"recipe": recipe}).rowcount == 0:
        raise TrialsightError(f"there is no line {name}", f"add it: trialsight line add {name}")


def bind_unbound_lines(connection: Connection, recipe: str, organisation: str = ORGANISATION) -> list[str]:
    """Give `recipe` to every line that has none; the names of those lines."""
    names = [line.name for line in list_lines(connection, organisation) if line.recipe is None]
    for name in names:
        bind_line(connection, name, recipe, organisation)
    return names


def list_active(connection: Connection, organisation: str = ORGANISATION) -> list[ActiveModel]:
    columns = (
        active_models.c.recipe,
        active_models.c.version,
        active_models.c.graph_sha256,
        active_models.c.activated_at,
    )
    query = sa.select(*columns).where(active_models.c.organisation_id == organisation)
    return [ActiveModel(*row) for row in connection.execute(query)]


def set_active(connection: Connection, model: ActiveModel, organisation: str = ORGANISATION) -> None:
    mine = (active_models.c.organisation_id == organisation) & (active_models.c.recipe == model.recipe)
    values = {"version": model.version, "graph_sha256": model.graph_sha256, "activated_at": model.activated_at}
    if connection.execute(active_models.update().where(mine), values).rowcount == 0:
        connection.execute(active_models.insert(), {"organisation_id": organisation, "recipe": model.recipe, **values})
