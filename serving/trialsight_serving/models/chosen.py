"""The thresholds that people chose, as the newest recipes say: what a line's verdicts go by from then on."""

from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from trialsight.chosen import Chosen
from trialsight.errors import TrialsightError
from trialsight.recipe import parse_recipe
from trialsight.verdict import Thresholds
from trialsight_serving.store.recipes import list_recipes
from trialsight_serving.store.tables import recipes

if TYPE_CHECKING:
    from trialsight_serving.models.shelf import LiveModel

log = structlog.get_logger(__name__)


class PeoplesThresholds:
    """Read at every poll, and at once when somebody saves; asked for every frame, so it holds what it made."""

    def __init__(self, organisation: str) -> None:
        self._organisation = organisation
        self._newest: int | None = -1
        self._chosen: dict[str, dict[str, Chosen]] = {}
        self._made: dict[tuple[str, str, str], tuple[Chosen, Thresholds]] = {}

    def refresh(self, connection: Connection) -> None:
        """Reads the recipes only where one was saved since."""
        query = sa.select(sa.func.max(recipes.c.id)).where(recipes.c.organisation_id == self._organisation)
        newest = connection.execute(query).scalar()
        if newest == self._newest:
            return
        chosen = {}
        for record in list_recipes(connection, self._organisation):
            if record.content.get("thresholds"):
                try:
                    chosen[record.name] = parse_recipe(record.content).thresholds
                except TrialsightError as error:  # of a newer release, say: what it chose can't be told
                    log.error("recipe not understood", recipe=record.name, problem=str(error))
        self._chosen, self._newest = chosen, newest

    def of(self, model: "LiveModel") -> Thresholds:
        chosen = self._chosen.get(model.recipe, {}).get(model.version)
        if chosen is None:
            return model.card.thresholds
        package = model.inspector.package
        key = (*model.key, package.variant_name)
        made = self._made.get(key)
        if made is None or made[0] != chosen:
            made = chosen, chosen.thresholds(package)
            self._made[key] = made
        return made[1]
