"""All checks, in the order in which a person would look."""

from trialsight_serving.doctor.database import check_database
from trialsight_serving.doctor.finding import Check, Finding, fault
from trialsight_serving.doctor.home import check_clock, check_disk, check_home
from trialsight_serving.doctor.models import check_engines, check_models
from trialsight_serving.doctor.outside import check_mlflow, check_outbox, check_port, check_secrets
from trialsight_serving.settings import Settings

CHECKS: tuple[Check, ...] = (
    check_home,
    check_disk,
    check_clock,
    check_database,
    check_engines,
    check_models,
    check_mlflow,
    check_outbox,
    check_secrets,
    check_port,
)


def examine(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found.extend(check(settings))
        except Exception as error:  # one check that can't be made must not hide what the others find
            name = check.__name__.removeprefix("check_")
            found.append(fault(name, f"it can't be checked: {type(error).__name__}: {error}", "see the line above"))
    return found
