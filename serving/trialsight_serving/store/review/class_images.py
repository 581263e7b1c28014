"""Images of the defect book: how a class looks, how it doesn't, and where the line between lies."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from trialsight_serving.store import audit
from trialsight_serving.store.tables import class_images
from trialsight_serving.store.upkeep.purge import note_unneeded
from trialsight_serving.store.usage import count_removed, count_stored


class ImageKind(StrEnum):
    """example: this is it. counter: it looks like it, and is none. borderline: just acceptable, or just not."""

    EXAMPLE = "example"
    COUNTER = "counter"
    BORDERLINE = "borderline"


@dataclass(frozen=True)
class ClassImage:
    """`outlines`: SVG path data in thousandths of the longer side. `frame_id`: where it came from, None if uploaded."""

    id: str
    defect_class: str
    kind: str
    sha256: str
    width_px: int
    height_px: int
    frame_id: str | None
    note: str
    added_by: str
    added_at: datetime
    outlines: list[str] = field(default_factory=list)
    stored_bytes: int = 0

    @property
    def subject(self) -> str:
        return f"defect-class/{self.defect_class}"


def list_images(connection: Connection, organisation: str) -> list[ClassImage]:
    """Of all classes, oldest first."""
    query = sa.select(*_COLUMNS).where(class_images.c.organisation_id == organisation)
    rows = connection.execute(query.order_by(class_images.c.added_at, class_images.c.id)).mappings()
    return [ClassImage(**row) for row in rows]


def find_image(connection: Connection, organisation: str, image_id: str) -> ClassImage | None:
    mine = (class_images.c.organisation_id == organisation) & (class_images.c.id == image_id)
    row = connection.execute(sa.select(*_COLUMNS).where(mine)).mappings().first()
    return None if row is None else ClassImage(**row)


def add_image(connection: Connection, organisation: str, image: ClassImage) -> None:
    connection.execute(class_images.insert(), {"organisation_id": organisation, **vars(image)})
    new = {"image": image.id, "kind": image.kind, "sha256": image.sha256, "note": image.note}
    count_stored(connection, organisation, image.stored_bytes)
    audit.record(connection, organisation, image.added_by, "defect_image.added", image.subject, None, new)


def remove_image(connection: Connection, organisation: str, image: ClassImage, *, who: str) -> None:
    connection.execute(class_images.delete().where(class_images.c.id == image.id))
    note_unneeded(connection, [image.sha256])
    count_removed(connection, organisation, image.stored_bytes)
    old = {"image": image.id, "kind": image.kind, "sha256": image.sha256, "note": image.note}
    audit.record(connection, organisation, who, "defect_image.removed", image.subject, old)


def drop_images(connection: Connection, organisation: str, defect_class: str) -> None:
    """With the class that they show."""
    mine = (class_images.c.organisation_id == organisation) & (class_images.c.defect_class == defect_class)
    gone = connection.execute(sa.select(class_images.c.sha256, class_images.c.stored_bytes).where(mine)).all()
    note_unneeded(connection, [one.sha256 for one in gone])
    count_removed(connection, organisation, sum(one.stored_bytes for one in gone))
    connection.execute(class_images.delete().where(mine))


_COLUMNS = tuple(column for column in class_images.c if column.name != "organisation_id")
