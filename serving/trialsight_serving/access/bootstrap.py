"""The first keys of a home."""

from trialsight.errors import TrialsightError
from trialsight_serving.access.keys import anyone_known, make_key
from trialsight_serving.access.principal import Role
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import operator
from trialsight_serving.store.database import open_database


def bootstrap(settings: Settings) -> dict[str, str]:
    """Role to key, for an administrator and a camera. Raises TrialsightError where the home has keys already."""
    database = open_database(settings)
    try:
        with database.write() as connection:
            if anyone_known(connection):
                raise TrialsightError(
                    f"{settings.paths.root} has its first keys already; they were shown once and can't be shown again",
                    "use them, or start a fresh home",
                )
            return {
                role.value: make_key(connection, role, f"first {role}", who=operator())
                for role in (Role.ADMINISTRATOR, Role.CAMERA)
            }
    finally:
        database.close()
