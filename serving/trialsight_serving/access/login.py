"""Logging in with a password or a key: slow for guessers, and never telling which part was wrong."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.access.keys import who_has_key
from trialsight_serving.access.passwords import is_password
from trialsight_serving.access.sessions import open_session
from trialsight_serving.problems import Problem
from trialsight_serving.store.database import Database
from trialsight_serving.store.tables import login_failures, users

WINDOW = timedelta(minutes=15)
OF_AN_ACCOUNT, OF_AN_ADDRESS = 10, 50  # failures within the window; then even the right password has to wait


class LoginDoor:
    """Counts failures in the database, so that they hold for every process and outlive a restart.

    Call it for one login at a time: each password takes 64 MiB and a core for a while, which a flood could use up.
    """

    def __init__(self, database: Database, hours: float) -> None:
        self._database, self._hours = database, hours

    def enter(self, organisation: str, name: str, password: str, address: str) -> str | None:
        """A session's token, or None for a wrong name or password. Raises Problem 429 after too many failures."""
        account = f"account:{organisation}/{name}"[:300]
        self.check_failures(account, address)
        with self._database.read() as connection:
            mine = (users.c.organisation_id == organisation) & (users.c.name == name)
            row = connection.execute(sa.select(users).where(mine)).mappings().first()
        right = is_password(None if row is None else row["password"], password)
        if row is None or not right or row["disabled_at"] is not None:
            self.note_failure(account, address)
            return None
        with self._database.write() as connection:
            connection.execute(login_failures.delete().where(login_failures.c.subject == account))
            return admit(connection, row["id"], self._hours)

    def enter_with_key(self, key: str, address: str) -> str | None:
        """As `enter`. A key can't be guessed, so only the address is counted."""
        self.check_failures(None, address)
        with self._database.read() as connection:
            found = who_has_key(connection, key)
        if found is None:
            self.note_failure(None, address)
            return None
        with self._database.write() as connection:
            return open_session(connection, self._hours, key_id=found[0])

    def check_failures(self, account: str | None, address: str) -> None:
        """Raises Problem 429."""
        since = datetime.now(UTC) - WINDOW
        with self._database.read() as connection:
            for subject, limit in ((account, OF_AN_ACCOUNT), (f"address:{address}", OF_AN_ADDRESS)):
                mine = (login_failures.c.subject == subject) & (login_failures.c.at > since)
                count, oldest = connection.execute(
                    sa.select(sa.func.count(), sa.func.min(login_failures.c.at)).where(mine)
                ).one()
                if count >= limit:
                    raise _too_many(oldest - since)

    def note_failure(self, account: str | None, address: str) -> None:
        now = datetime.now(UTC)
        subjects = [subject for subject in (account, f"address:{address}") if subject is not None]
        with self._database.write() as connection:
            connection.execute(login_failures.delete().where(login_failures.c.at < now - WINDOW))
            connection.execute(login_failures.insert(), [{"subject": subject, "at": now} for subject in subjects])


def admit(connection: Connection, user_id: str, hours: float) -> str:
    """A session for a user who has been let in."""
    connection.execute(users.update().where(users.c.id == user_id), {"last_login_at": datetime.now(UTC)})
    return open_session(connection, hours, user_id=user_id)


def _too_many(wait: timedelta) -> Problem:
    seconds = max(1, round(wait.total_seconds()))
    return Problem(
        429,
        "too-many-logins",
        "Too many failed logins",
        "this account or address has failed too often lately",
        f"try again in {-(-seconds // 60)} minutes",
        headers={"Retry-After": str(seconds)},
    )
