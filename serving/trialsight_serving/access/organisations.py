"""Tenants. Companies that share one platform see nothing of each other."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight.home import model_name
from trialsight_serving.store import audit
from trialsight_serving.store.tables import ORGANISATION, organisations


@dataclass(frozen=True)
class Organisation:
    id: str
    name: str
    created_at: datetime


def add_organisation(connection: Connection, identifier: str, name: str, *, who: str) -> Organisation:
    """The record stands in the chain of the home's own organisation, which made it. Raises TrialsightError."""
    model_name("", identifier)
    if any(one.id == identifier for one in list_organisations(connection)):
        raise TrialsightError(f"there is an organisation {identifier} already", "choose another id")
    made = Organisation(identifier, name, datetime.now(UTC))
    connection.execute(organisations.insert(), vars(made))
    audit.record(connection, ORGANISATION, who, "organisation.added", f"organisation/{identifier}", new={"name": name})
    return made


def list_organisations(connection: Connection) -> list[Organisation]:
    query = sa.select(organisations.c.id, organisations.c.name, organisations.c.created_at)
    return [Organisation(*row) for row in connection.execute(query.order_by(organisations.c.id))]


def need_organisation(connection: Connection, identifier: str) -> None:
    """Raises TrialsightError where there is none."""
    if all(one.id != identifier for one in list_organisations(connection)):
        raise TrialsightError(f"there is no organisation {identifier}", "see `trialsight organisation list`")
