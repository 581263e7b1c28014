"""Lines, the recipe that each line or each of its views is bound to, and which model version is active per recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight_serving.store import audit
from trialsight_serving.store.tables import ORGANISATION, active_models, line_views, lines


@dataclass(frozen=True)
class LineRecord:
    """`views`: the recipe of each view that a part must be seen from; empty where one camera is all there is."""

    name: str
    recipe: str | None
    views: Mapping[str, str] = field(default_factory=dict)

    def recipe_of(self, view: str) -> str | None:
        """None where it is not settled yet. Raises KeyError for a view that the line doesn't have."""
        return self.views[view] if self.views else self.recipe


@dataclass(frozen=True)
class ActiveModel:
    """`behind`: the champion before, where the registry has not heard yet that this one was rolled back to."""

    recipe: str
    version: str
    graph_sha256: str
    activated_at: datetime
    behind: str | None = None


def list_lines(connection: Connection, organisation: str = ORGANISATION) -> list[LineRecord]:
    columns = line_views.c.line, line_views.c.view, line_views.c.recipe
    bound = sa.select(*columns).where(line_views.c.organisation_id == organisation).order_by(line_views.c.view)
    views: dict[str, dict[str, str]] = {}
    for line, view, recipe in connection.execute(bound):
        views.setdefault(line, {})[view] = recipe
    query = sa.select(lines.c.name, lines.c.recipe).where(lines.c.organisation_id == organisation)
    found = connection.execute(query.order_by(lines.c.name))
    return [LineRecord(name, recipe, views.get(name, {})) for name, recipe in found]


def add_line(
    connection: Connection, name: str, recipe: str | None = None, organisation: str = ORGANISATION, *, who: str
) -> None:
    if any(line.name == name for line in list_lines(connection, organisation)):
        raise TrialsightError(f"line {name} exists already", "choose another name")
    values = {"organisation_id": organisation, "name": name, "recipe": recipe, "created_at": datetime.now(UTC)}
    connection.execute(lines.insert(), values)
    audit.record(connection, organisation, who, "line.added", f"line/{name}", new={"recipe": recipe})


def bind_line(connection: Connection, name: str, recipe: str, organisation: str = ORGANISATION, *, who: str) -> None:
    mine = (lines.c.organisation_id == organisation) & (lines.c.name == name)
    found = connection.execute(sa.select(lines.c.recipe).where(mine)).first()
    if found is None:
        raise TrialsightError(f"there is no line {name}", f"add it: trialsight line add {name}")
    if found.recipe == recipe:
        return
    connection.execute(lines.update().where(mine), {"recipe": recipe})
    change = {"recipe": found.recipe}, {"recipe": recipe}
    audit.record(connection, organisation, who, "line.bound", f"line/{name}", *change)


def bind_view(
    connection: Connection, name: str, view: str, recipe: str, organisation: str = ORGANISATION, *, who: str
) -> None:
    """From now on a part of this line needs this view, inspected by `recipe`."""
    line = next((line for line in list_lines(connection, organisation) if line.name == name), None)
    if line is None:
        raise TrialsightError(f"there is no line {name}", f"add it: trialsight line add {name}")
    key = {"organisation_id": organisation, "line": name, "view": view}
    mine = sa.and_(*(line_views.c[column] == value for column, value in key.items()))
    if connection.execute(line_views.update().where(mine), {"recipe": recipe}).rowcount == 0:
        connection.execute(line_views.insert(), {**key, "recipe": recipe})
    change = {"views": dict(line.views)}, {"views": {**line.views, view: recipe}}
    audit.record(connection, organisation, who, "line.view_bound", f"line/{name}", *change)


def unbind_view(connection: Connection, name: str, view: str, organisation: str = ORGANISATION, *, who: str) -> None:
    """A part of this line no longer needs this view."""
    mine = sa.and_(line_views.c.organisation_id == organisation, line_views.c.line == name, line_views.c.view == view)
    if connection.execute(line_views.delete().where(mine)).rowcount == 0:
        raise TrialsightError(f"line {name} has no view {view}", "see `trialsight line list`")
    audit.record(connection, organisation, who, "line.view_unbound", f"line/{name}", old={"view": view})


def bind_unbound_lines(connection: Connection, recipe: str, organisation: str = ORGANISATION, *, who: str) -> list[str]:
    """Give `recipe` to every line that has none; the names of those lines."""
    found = list_lines(connection, organisation)
    names = [line.name for line in found if line.recipe is None and not line.views]
    for name in names:
        bind_line(connection, name, recipe, organisation, who=who)
    return names


def list_active(connection: Connection, organisation: str = ORGANISATION) -> list[ActiveModel]:
    columns = (
        active_models.c.recipe,
        active_models.c.version,
        active_models.c.graph_sha256,
        active_models.c.activated_at,
        active_models.c.behind,
    )
    query = sa.select(*columns).where(active_models.c.organisation_id == organisation)
    return [ActiveModel(*row) for row in connection.execute(query)]


def set_active(connection: Connection, model: ActiveModel, organisation: str = ORGANISATION) -> str | None:
    """Gives the version that was active before."""
    mine = (active_models.c.organisation_id == organisation) & (active_models.c.recipe == model.recipe)
    values = {
        "version": model.version,
        "graph_sha256": model.graph_sha256,
        "activated_at": model.activated_at,
        "behind": model.behind,
    }
    before = connection.execute(sa.select(active_models.c.version).where(mine)).scalar()
    if before is None:
        connection.execute(active_models.insert(), {"organisation_id": organisation, "recipe": model.recipe, **values})
    else:
        connection.execute(active_models.update().where(mine), values)
    return before
