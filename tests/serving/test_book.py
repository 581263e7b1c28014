"""The defect book: the organisation's own words and pictures, which outlive the frames that they came from."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from trialsight.home import Home
from trialsight_serving.settings import Settings
from trialsight_serving.store.audit import entries
from trialsight_serving.store.database import open_database
from trialsight_serving.store.images import open_images
from trialsight_serving.store.tables import ORGANISATION
from trialsight_serving.store.upkeep.purge import needed_files, purge
from trialsight_serving.store.writer import Writer

URL = "/v1/defect-classes"
PNG = {"Content-Type": "image/png"}
WELD = {"name_en": "Spatter", "name_zh": "飞溅", "description_en": "Metal beads.", "description_zh": "金属颗粒。"}


def test_classes_are_the_organisations_own_from_the_first_change_on(
    promoted: Home, serve: Callable[..., AbstractContextManager[httpx.Client]], good: bytes, bad: bytes
) -> None:
    with serve(promoted) as client:
        usual = client.get(URL).json()
        assert [one["number"] for one in usual] == list(range(1, 10))
        taken = client.put(f"{URL}/spatter", json=WELD | {"number": 3})
        assert (taken.status_code, taken.json()["type"]) == (409, "urn:trialsight:problem:class-number-taken")
        assert client.get(URL).json() == usual
        assert client.delete(f"{URL}/crack").status_code == 204
        made = client.put(f"{URL}/spatter", json=WELD | {"number": 3})
        assert made.status_code == 200, made.text
        found = {one["name"]: one for one in client.get(URL).json()}
        assert found["spatter"] == {"name": "spatter", **WELD, "number": 3, "images": []}
        assert "crack" not in found

        frame = client.post("/v1/lines/L1/frames?part=P-1", content=bad, headers=PNG).json()
        from_line = {"frame_id": frame["id"], "kind": "example", "note": "typical"}
        first = client.post(f"{URL}/spatter/images", json=from_line)
        assert first.status_code == 201, first.text
        assert first.json()["outlines"], "what was found is drawn over it"
        second = client.post(f"{URL}/spatter/uploads?kind=counter&note=glare", content=good, headers=PNG).json()
        shown = {one["kind"]: one for one in client.get(URL).json()[2]["images"]}
        assert set(shown) == {"example", "counter"}
        assert client.get(shown["counter"]["image_url"]).content == good
        small = client.get(shown["example"]["image_url"], params={"size": 32})
        assert (small.headers["content-type"], small.content[:2]) == ("image/jpeg", b"\xff\xd8")
        assert client.delete(f"{URL}/images/{second['id']}").status_code == 204
        assert client.get(shown["counter"]["image_url"]).status_code == 404
        assert client.post(f"{URL}/nothing/images", json=from_line).status_code == 404
        text = client.post(f"{URL}/spatter/uploads?kind=example", content=b"text", headers=PNG)
        assert (text.status_code, text.headers["content-type"]) == (415, "application/problem+json")

    settings = Settings(home=promoted.root)
    with closing(open_database(settings)) as database, closing(Writer(database)) as writer:
        with database.write() as connection:
            image = frame_file(connection)
            assert needed_files(connection, [image]) == {image}
            connection.exec_driver_sql("DELETE FROM frames")
            said = [(one.what, one.subject) for one in entries(connection, ORGANISATION) if "defect" in one.what]
        images = open_images(settings)
        purge(writer.transact, images, datetime.now(UTC) + timedelta(days=1))
        assert images.get(image) == bad, "the frame is gone, the book keeps its picture"
    assert said == [
        ("defect_class.removed", "defect-class/crack"),
        ("defect_class.saved", "defect-class/spatter"),
        ("defect_image.added", "defect-class/spatter"),
        ("defect_image.added", "defect-class/spatter"),
        ("defect_image.removed", "defect-class/spatter"),
    ]


def frame_file(connection: Any) -> str:
    return str(connection.exec_driver_sql("SELECT image_sha256 FROM frames").scalar())


@pytest.mark.parametrize("name", ["Upper", "a b", "-x", "x" * 64])
def test_a_name_that_labels_could_not_carry_is_refused(shared: httpx.Client, name: str) -> None:
    assert shared.put(f"{URL}/{name}", json=WELD).status_code == 422
