"""What an organisation calls its defects. One that has named none of its own works with the usual ones."""

from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight.errors import TrialsightError
from trialsight_serving.store import audit
from trialsight_serving.store.review.class_images import drop_images
from trialsight_serving.store.tables import defect_classes

MOST = 100


@dataclass(frozen=True)
class DefectClass:
    """`name` is what labels and regions carry; `number` the key that gives it, 1 to 9, or None. Descriptions say what
    counts as this defect, and what doesn't."""

    name: str
    name_en: str
    name_zh: str
    number: int | None
    description_en: str = ""
    description_zh: str = ""


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


class NumberTakenError(TrialsightError):
    """Another class has that key."""


def list_classes(connection: Connection, organisation: str) -> list[DefectClass]:
    """Those with a key first, in the keys' order."""
    columns = [column for column in defect_classes.c if column.name != "organisation_id"]
    query = sa.select(*columns).where(defect_classes.c.organisation_id == organisation)
    found = [DefectClass(**row) for row in connection.execute(query).mappings()] or list(USUAL)
    return sorted(found, key=lambda one: (one.number is None, one.number, one.name))


def save_class(connection: Connection, organisation: str, wanted: DefectClass, *, who: str) -> None:
    """Add it or change it. Raises NumberTakenError, or TrialsightError where there are too many."""
    known = {one.name: one for one in list_classes(connection, organisation)}
    before = known.get(wanted.name)
    for other in known.values():
        if wanted.number is not None and other.number == wanted.number and other.name != wanted.name:
            raise NumberTakenError(
                f"key {wanted.number} belongs to class {other.name}", "take a free key, or free that one first"
            )
    if before is None and len(known) >= MOST:
        raise TrialsightError(f"there are {len(known)} classes already", "remove one first")
    _write(connection, organisation, [one for one in known.values() if one.name != wanted.name] + [wanted])
    if wanted != before:
        old = None if before is None else asdict(before)
        subject = f"defect-class/{wanted.name}"
        audit.record(connection, organisation, who, "defect_class.saved", subject, old, asdict(wanted))


def remove_class(connection: Connection, organisation: str, name: str, *, who: str) -> bool:
    """With its images; labels that carry the name keep it. False where there is none. Raises TrialsightError for the
    last one."""
    known = list_classes(connection, organisation)
    before = next((one for one in known if one.name == name), None)
    if before is None:
        return False
    if len(known) == 1:
        raise TrialsightError(f"{name} is the only class", "add another one first")
    _write(connection, organisation, [one for one in known if one.name != name])
    drop_images(connection, organisation, name)
    audit.record(connection, organisation, who, "defect_class.removed", f"defect-class/{name}", asdict(before))
    return True


def _write(connection: Connection, organisation: str, classes: list[DefectClass]) -> None:
    """The usual classes too, from the first change on: they are the organisation's own then."""
    connection.execute(defect_classes.delete().where(defect_classes.c.organisation_id == organisation))
    connection.execute(defect_classes.insert(), [{"organisation_id": organisation, **vars(one)} for one in classes])
