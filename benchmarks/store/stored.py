"""A store that has seen much: rows of frames that were really inspected, copied until there are enough."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np

from trialsight.home import Home
from trialsight_serving.store.ids import new_id
from trialsight_serving.store.images import name_of
from trialsight_serving.store.images.local import LocalImages

_OPEN = 0.5  # of the parts nobody has reviewed yet
_STATES = ("unsure", "disagreed", "decided")


def fill(home: Path, parts: int) -> None:
    """Until the home's store holds so many parts. The service must not run."""
    dice = random.Random(parts)  # noqa: S311 - no secret
    with closing(sqlite3.connect(Home.at(home).database)) as connection, connection:
        frames = _rows(connection, "SELECT * FROM frames WHERE part LIKE 'FIRST-%'")
        wholes = {row["id"]: row for row in _rows(connection, "SELECT * FROM parts WHERE serial LIKE 'FIRST-%'")}
        (count,), (seq,) = (connection.execute(f"SELECT {what}").fetchone() for what in _NOW)
        for number in range(count, parts):
            seq += 1
            frame = dice.choice(frames)
            part_id, frame_id, serial = new_id(), new_id(), f"P-{number}"
            state = {} if dice.random() < _OPEN else {"review": dice.choice(_STATES), "decision": "confirm"}
            whole = wholes[frame["part_id"]] | {"id": part_id, "serial": serial, "last_seq": seq} | state
            _insert(connection, "parts", whole | {"last_frame_id": frame_id})
            _insert(connection, "frames", frame | {"id": frame_id, "part_id": part_id, "part": serial, "seq": seq})


def add_large_frame(home: Path, width: int, height: int) -> str:
    """A part whose frame is this large; its id."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    image = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    LocalImages(Home.at(home).images).put(data, name_of(data))
    with closing(sqlite3.connect(Home.at(home).database)) as connection, connection:
        frame = _rows(connection, "SELECT * FROM frames WHERE map_sha256 IS NOT NULL LIMIT 1")[0]
        whole = _rows(connection, f"SELECT * FROM parts WHERE id = '{frame['part_id']}'")[0]  # noqa: S608
        seq = connection.execute(f"SELECT {_NOW[1]}").fetchone()[0] + 1
        part_id, frame_id = new_id(), new_id()
        large = {"width_px": width, "height_px": height, "image_sha256": name_of(data), "image_type": "image/jpeg"}
        changed = {"id": part_id, "serial": "LARGE", "last_seq": seq, "last_frame_id": frame_id}
        _insert(connection, "parts", whole | changed)
        _insert(connection, "frames", frame | large | {"id": frame_id, "part_id": part_id, "part": "LARGE", "seq": seq})
    return part_id


_NOW = ("count(*) FROM parts", "max(seq) FROM frames")


def _rows(connection: sqlite3.Connection, query: str) -> list[dict[str, object]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608
