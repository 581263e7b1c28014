"""How much room each organisation's models take: their packages here, and in the registry's folder where it is here."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.home import ORGANISATION, Home
from trialsight_serving.store.database import Transact
from trialsight_serving.store.tables import organisations, usage
from trialsight_serving.store.usage import count, today

_BY = "models"


def count_models(transact: Transact, home: Home) -> None:
    """Measured, since training, people and MLflow write and delete there too; the difference to the last time is
    counted today."""
    sizes: Counter[str] = Counter()
    for folder in (home.packages, home.mlflow_artifacts):
        for model in folder.iterdir() if folder.is_dir() else ():
            organisation, dot, _ = model.name.partition(".")
            sizes[organisation if dot else ORGANISATION] += _size(model)
    transact(partial(_level, sizes=sizes))


def _level(connection: Connection, sizes: Mapping[str, int]) -> None:
    known = {
        row[0]: int(row[1])
        for row in connection.execute(
            sa.select(usage.c.organisation_id, sa.func.sum(usage.c.bytes - usage.c.removed_bytes))
            .where(usage.c.counted_by == _BY)
            .group_by(usage.c.organisation_id)
        )
    }
    for organisation in connection.execute(sa.select(organisations.c.id)).scalars().all():
        more = sizes.get(organisation, 0) - known.get(organisation, 0)
        if more:
            count(connection, organisation, today(), _BY, bytes=max(more, 0), removed_bytes=max(-more, 0))


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # taken away in this moment
            continue
    return total
