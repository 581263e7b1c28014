"""The database as it stands: can it be read, is it sound, which schema has it, who may come in?"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from trialsight_serving.doctor.finding import Finding, fault, ok, warning
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import make_engine, newest_schema
from trialsight_serving.store.tables import api_keys, users

_SOON = timedelta(days=14)


def check_database(settings: Settings) -> Iterator[Finding]:
    file = settings.paths.database
    if settings.database_url is None and not file.exists():
        yield warning("database", f"{file} is not there yet", "the service makes it; or restore a backup")
        return
    engine = open_to_read(settings)
    try:
        with engine.connect() as connection:
            yield from _sound(connection, engine)
            if (schema := _schema(connection)) is not None:
                yield schema
                return
            yield from _known(connection, settings)
    except SQLAlchemyError as error:
        where = engine.url.render_as_string(hide_password=True) if settings.database_url else str(file)
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        remedy = "check that the server runs, and database_url" if settings.database_url else "restore a backup"
        yield fault("database", f"{where} can't be read: {said}", remedy)
    finally:
        engine.dispose()


def open_to_read(settings: Settings) -> Engine:
    """Nothing is migrated, nothing is written."""
    if settings.database_url is not None:
        return make_engine(settings.database_url)
    uri = f"{settings.paths.database.as_uri()}?mode=ro"
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False))


def _sound(connection: Connection, engine: Engine) -> Iterator[Finding]:
    if engine.dialect.name == "sqlite":
        found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
        if found != "ok":
            yield fault("database", f"it is damaged: {found}", "stop the service, and restore a backup")
        return
    for name in ("fsync", "full_page_writes"):
        if connection.exec_driver_sql(f"SHOW {name}").scalar() == "off":
            yield fault("database", f"PostgreSQL runs with {name}=off: a power cut loses answers", f"set {name}=on")


def _schema(connection: Connection) -> Finding | None:
    """None where it is the one of this version."""
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    newest, known = newest_schema()
    if revision == newest:
        return None
    if revision in known:
        said = f"its schema is {revision}, this version's {newest}"
        return warning("database", said, "back up, then start the service: it migrates by itself")
    return fault("database", f"its schema {revision} is a newer version's", "install that version of Trialsight again")


def _known(connection: Connection, settings: Settings) -> Iterator[Finding]:
    yield ok("database", f"schema {newest_schema()[0]}")
    now = datetime.now(UTC)
    keys = connection.execute(sa.select(api_keys).where(api_keys.c.revoked_at.is_(None))).mappings().all()
    good = [key for key in keys if key["expires_at"] is None or key["expires_at"] > now]
    people = connection.execute(sa.select(sa.func.count()).select_from(users)).scalar_one()
    for key in good:
        if key["expires_at"] is not None and key["expires_at"] < now + _SOON:
            said = f"the {key['role']} key {key['name']!r} ends on {key['expires_at']:%Y-%m-%d}"
            yield warning("keys", said, "make another: trialsight key add")
    if not good and not people:
        make = "make the first ones: trialsight bootstrap"
        if settings.on_loopback:
            yield warning("keys", "there are none: whoever works on this machine is an administrator", make)
        else:
            yield fault("keys", f"there are none, and {settings.host} can be reached from other machines", make)
    else:
        yield ok("keys", f"{len(good)} keys and {people} users")


def active_versions(settings: Settings) -> list[tuple[str, str, str]]:
    """(organisation, recipe, version) of what gives verdicts; empty where the database says nothing."""
    from trialsight_serving.store.tables import active_models

    if settings.database_url is None and not Path(settings.paths.database).exists():
        return []
    engine = open_to_read(settings)
    columns = active_models.c.organisation_id, active_models.c.recipe, active_models.c.version
    try:
        with engine.connect() as connection:
            return [(str(o), str(r), str(v)) for o, r, v in connection.execute(sa.select(*columns))]
    except SQLAlchemyError:
        return []
    finally:
        engine.dispose()
