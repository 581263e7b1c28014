"""An alarm that asks for a retraining: only where its recipe says so."""

from sqlalchemy.engine import Connection

from trialsight.home import Home, model_name
from trialsight.recipe import parse_recipe
from trialsight_serving.drift.cause import RETRAIN
from trialsight_serving.jobs.retrain import KIND
from trialsight_serving.models.gate import recipe_of
from trialsight_serving.store.drift import AlarmRecord
from trialsight_serving.store.jobs import insert_job
from trialsight_serving.store.recipes import find_recipe


def ask_retraining(connection: Connection, home: Home, alarm: AlarmRecord) -> None:
    """In the transaction that stores the alarm. The newest saved recipe counts, else the one of the model's package."""
    if alarm.cause not in RETRAIN:
        return
    saved = find_recipe(connection, alarm.organisation_id, alarm.recipe)
    package = home.package(model_name(alarm.recipe, alarm.organisation_id), alarm.version)
    recipe = recipe_of(package) if saved is None else parse_recipe(saved.content)
    if recipe.retraining == "on_drift":
        asked_by = f"recipe {alarm.recipe}, drift alarm {alarm.id}"
        insert_job(connection, alarm.organisation_id, KIND, alarm.recipe, asked_by, alarm.opened_at)
