"""What an organisation calls its defects. One that has named none of its own works with the usual ones."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store.tables import defect_classes


@dataclass(frozen=True)
class DefectClass:
    """`name` is what labels and regions carry; `number` the key that gives it, 1 to 9, or None."""

    name: str
    name_en: str
    name_zh: str
    number: int | None


USUAL = (
    DefectClass("scratch", "Scratch", "划痕", 1),
    DefectClass("dent", "Dent", "凹坑", 2),
    DefectClass("crack", "Crack", "裂纹", 3),
    DefectClass("stain", "Stain", "污渍", 4),
    DefectClass("burr", "Burr", "毛刺", 5),
    DefectClass("pore", "Pore", "气孔", 6),
    DefectClass("foreign", "Foreign matter", "异物", 7),
    DefectClass("missing", "Missing feature", "缺料", 8),
    DefectClass("other", "Other", "其他", 9),
)


def list_classes(connection: Connection, organisation: str) -> list[DefectClass]:
    """Those with a key first, in the keys' order."""
    columns = [column for column in defect_classes.c if column.name != "organisation_id"]
    query = sa.select(*columns).where(defect_classes.c.organisation_id == organisation)
    found = [DefectClass(*row) for row in connection.execute(query)] or list(USUAL)
    return sorted(found, key=lambda one: (one.number is None, one.number, one.name))


def save_classes(connection: Connection, organisation: str, classes: list[DefectClass]) -> None:
    """They take the place of those before."""
    connection.execute(defect_classes.delete().where(defect_classes.c.organisation_id == organisation))
    rows = [{"organisation_id": organisation, **vars(one)} for one in classes]
    connection.execute(defect_classes.insert(), rows)
