"""The viewer's pages as text: both languages complete, the filter in the URL, nothing inline, nothing from outside."""

import ast
import re
import string
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest

import trialsight_serving.app
from trialsight.errors import FrameFault
from trialsight.home import Home
from trialsight.reason import REASONS
from trialsight.verdict import Verdict
from trialsight_serving.access.keys import make_key
from trialsight_serving.access.principal import Role
from trialsight_serving.drift.cause import Cause
from trialsight_serving.drift.measures import MEASURES
from trialsight_serving.models.gate import CASES, REFUSING
from trialsight_serving.routes.wall import Alarm
from trialsight_serving.schemas.models import VersionState
from trialsight_serving.schemas.review import DecisionKind, ReviewState
from trialsight_serving.settings import Settings
from trialsight_serving.store.database import open_database
from trialsight_serving.store.jobs import JobState
from trialsight_serving.store.review.class_images import ImageKind
from trialsight_serving.viewer.language import load_catalogues

FRAMES = "/v1/lines/L1/frames"
PNG = {"Content-Type": "image/png"}
ROOT = Path(__file__).parents[2]
VIEWER = files("trialsight_serving.viewer")


@pytest.fixture
def client(promoted: Home, serve: Callable[..., httpx.Client]) -> Iterator[httpx.Client]:
    with serve(promoted) as client:
        yield client


def post(client: httpx.Client, data: bytes, **query: str) -> str:
    return str(client.post(FRAMES, content=data, headers=PNG, params=query).json()["part_id"])


def test_both_catalogues_have_the_same_keys_and_placeholders() -> None:
    catalogues = load_catalogues()
    english, chinese = catalogues["en"].texts, catalogues["zh"].texts
    assert set(english) == set(chinese)
    for key, text in english.items():
        assert text.strip(), key
        assert chinese[key].strip(), key
        assert _placeholders(text) == _placeholders(chinese[key]), key


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# Problems that only programs meet: cameras that post frames, and clients of the inference protocol.
FOR_PROGRAMS = {
    "content-encoding",
    "deadline",
    "idempotency-key-reused",
    "inference-request",
    "late",
    "line-unbound",
    "model-not-found",
    "multipart",
    "not-finite",
    "not-local",
    "queue-full",
}


def slugs() -> set[str]:
    """Every problem that the service's code names, but for those that a reader of the viewer never meets."""
    found = {f"frame-{fault}" for fault in FrameFault} | {"not-found", "method-not-allowed"}
    for file in Path(trialsight_serving.app.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = getattr(getattr(call, "func", None), "id", "")
            if not isinstance(call, ast.Call) or name not in ("Problem", "not_found", "DecisionRefusedError", "_busy"):
                continue
            said = call.args[1 if name == "Problem" else 0] if call.args else None
            words = [one.value for one in ast.walk(said) if isinstance(one, ast.Constant)] if said else []
            if not isinstance(said, ast.JoinedStr):
                found |= {
                    f"{word}-not-found" if name == "not_found" else word for word in words if isinstance(word, str)
                }
    return found - FOR_PROGRAMS


def training_tasks() -> set[str]:
    """What training and image sets say that they are at, which the models page shows of a running job."""
    sources = (*ROOT.glob("training/**/*.py"), *ROOT.glob("datasets/**/*.py"))
    text = "".join(file.read_text(encoding="utf-8") for file in sources if "distil" not in file.parts)
    return set(re.findall(r"""(?:\.task|_progress)\("([a-z ]+)\"""", text)) - {"simulating", "checking"}


def used_keys() -> set[str]:
    """Every key that a template or a script names, those that are put together included."""
    written = {
        folder: "".join(file.read_text(encoding="utf-8") for file in (VIEWER / folder).iterdir() if "." in file.name)
        for folder in ("templates", "static")
    }
    known = set(load_catalogues()["en"].texts)
    used = {key for text in written.values() for key in re.findall(r"""["'`]([a-z]+\.[a-z_0-9]+)["'`]""", text)}
    used &= known | set(
        re.findall(r"""\b(?:t|row|text)\(\s*["']([a-z_.0-9]+[a-z0-9])["']""", "".join(written.values()))
    )
    used |= {f"verdict.{verdict}" for verdict in Verdict}
    used |= {f"decision.{kind}" for kind in DecisionKind}
    used |= {f"decide.{kind}" for kind in DecisionKind}
    used |= {f"review.{state}" for state in (*ReviewState, "mine")}
    used |= {f"timing.{stage}" for stage in ("read", "decode", "queue", "infer", "post")}
    used |= {f"sort.{order}" for order in ("newest", "score", "informative")}
    used |= {f"saved.{state}" for state in ("saved", "saving", "waiting")}
    used |= {f"key.{action}" for action in re.findall(r'action: "(\w+)"', written["static"])}
    used |= {f"role.{role}" for role in Role}
    used |= {f"login.{what}" for what in ("wrong", "too_many", "refused", "away")}
    used |= {f"job.{state}" for state in JobState} | {f"standing.{state}" for state in VersionState}
    steps = ("labels", "set", "train", "compare", "escapes", "challenger", "promote")
    used |= {f"step.{step}" for step in (*steps, *training_tasks())}
    used |= {f"gate.{name}.{case}" for name, cases in CASES.items() for case in cases}
    used |= {f"gate.{name}.{case}_remedy" for name, cases in CASES.items() for case in cases if case in REFUSING}
    used |= {f"cameras.{fault}" for fault in ("silent", "clock", "lost")}
    used |= {f"thresholds.row_{row}" for row in ("t1", "t2", "overkill", "escape", "load", "cost")}
    used |= {f"thresholds.cost_{name}" for name in ("escape", "overkill", "review")}
    used |= {f"thresholds.{name}" for name in ("t1", "t2", "good", "defective", "undecided")}
    used |= {f"wall.{alarm}" for alarm in Alarm} | {"wall.waiting", "wall.lost"}
    measures = {one.name for one in MEASURES} | {"look", "strangers", "score", "overruled"}
    used |= {f"drift.measure.{name}" for name in measures} | {"drift.then", "drift.now"}
    used |= {f"drift.{what}.{cause}" for what in ("cause", "advice") for cause in Cause}
    used |= {f"book.{kind}" for kind in ImageKind}
    used |= {f"reason.{code}" for code in REASONS} | {f"problem.{slug}" for slug in slugs()}
    return used | {"language"}


def test_every_text_that_is_used_exists_and_every_text_is_used() -> None:
    assert used_keys() == set(load_catalogues()["en"].texts)


LANGUAGE = {
    "English where nothing is asked": ({}, {}, "en", "Not yet reviewed"),
    "what the browser wishes first": ({}, {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh-Hans", "尚未复核"),
    "a wish that we can't meet, then one that we can": ({}, {"Accept-Language": "de,zh;q=0.5"}, "zh-Hans", "待复核"),
    "the URL over the browser": ({"lang": "en"}, {"Accept-Language": "zh"}, "en", "Not yet reviewed"),
    "a language that we don't speak": ({"lang": "xx"}, {}, "en", "Not yet reviewed"),
}


@pytest.mark.parametrize(("query", "headers", "code", "text"), LANGUAGE.values(), ids=LANGUAGE.keys())
def test_the_page_speaks_the_readers_language(
    shared: httpx.Client, query: dict[str, str], headers: dict[str, str], code: str, text: str
) -> None:
    page = shared.get("/", params=query, headers=headers).text
    assert f'<html lang="{code}">' in page
    assert text in page


def test_a_language_once_chosen_stays(client: httpx.Client) -> None:
    client.get("/", params={"lang": "zh"})
    assert '<html lang="zh-Hans">' in client.get("/").text
    client.get("/", params={"lang": "en"})
    assert '<html lang="en">' in client.get("/").text


def test_the_filter_is_the_url_and_goes_with_the_reader(client: httpx.Client, good: bytes, bad: bytes) -> None:
    first = post(client, bad, part="P-1", trial="T1")
    post(client, good, part="P-2", trial="T1")
    last = post(client, bad, part="P-3", trial="T1")
    page = client.get("/?verdict=reject&trial=T1&line=").text
    assert re.findall(r'<strong class="serial" title="([^"]+)"', page) == ["P-3", "P-1"]
    assert f'href="/parts/{first}?verdict=reject&amp;trial=T1"' in page
    part = client.get(f"/parts/{last}?verdict=reject&trial=T1").text
    assert f'data-action="older" data-visit href="/parts/{first}?verdict=reject&amp;trial=T1"' in part
    assert 'data-action="newer"' not in part


def test_a_part_with_two_views_shows_the_one_that_is_asked_for(client: httpx.Client, good: bytes, bad: bytes) -> None:
    part = post(client, bad, part="P-1", view="top")
    post(client, good, part="P-1", view="side")
    frames = {frame["view"]: frame["id"] for frame in client.get(f"/v1/parts/{part}").json()["frames"]}
    for view, frame_id in frames.items():
        page = client.get(f"/parts/{part}", params={"frame": frame_id}).text
        assert f"/v1/frames/{frame_id}/image?display=true" in page
        assert f"<dd>{view}</dd>" in page


def test_more_parts_than_a_page_holds(client: httpx.Client, good: bytes) -> None:
    for number in range(50):
        post(client, good, part=f"P-{number:02}")
    first = client.get("/").text
    assert first.count('class="card ') == 48
    older = re.search(r'href="(/\?after=\d+)" rel="next"', first)
    assert older is not None
    second = client.get(older[1]).text
    assert re.findall(r'<strong class="serial" title="([^"]+)"', second) == ["P-01", "P-00"]


def test_a_person_gets_a_page_and_a_program_a_problem(client: httpx.Client) -> None:
    page = client.get("/parts/" + "0" * 32, headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no part" in page.text
    problem = client.get("/v1/parts/" + "0" * 32, headers={"Accept": "text/html"})
    assert problem.headers["content-type"] == "application/problem+json"


def test_nothing_is_inline_and_nothing_comes_from_outside(client: httpx.Client, bad: bytes) -> None:
    part = post(client, bad)
    for path in ("/", f"/parts/{part}", "/models", "/login"):
        page = client.get(path, follow_redirects=True).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", page)
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//(?!127\.0\.0\.1)', page)
    for file in (VIEWER / "static").iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text


def test_a_thumbnail_is_small_and_keeps_its_shape(client: httpx.Client, bad: bytes) -> None:
    import cv2
    import numpy as np

    frame = client.post(FRAMES, content=bad, headers=PNG).json()
    answer = client.get(f"/v1/frames/{frame['id']}/thumbnail", params={"size": 32})
    assert answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (32, 32, 3)
    assert image[7, 24].mean() > image[24, 7].mean() + 50


def test_the_part_page_is_light(client: httpx.Client, bad: bytes) -> None:
    part = post(client, bad)
    page = client.get(f"/parts/{part}")
    assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text) + [
        f"/static/{name}.js" for name in ("keys", "page", "overlay")
    ]
    weight = len(page.content) + sum(len(client.get(asset).content) for asset in assets)
    assert weight < 150_000


def test_the_models_page_lets_engineers_change_and_reviewers_look(
    promoted: Home, serve: Callable[..., httpx.Client]
) -> None:
    database = open_database(Settings(home=promoted.root))
    with database.write() as connection:
        keys = {role: make_key(connection, role, role.value, who="test") for role in (Role.REVIEWER, Role.ENGINEER)}
    database.close()
    with serve(promoted, host="0.0.0.0") as client:
        headers = {role: {"Authorization": f"Bearer {key}"} for role, key in keys.items()}
        engineer = headers[Role.ENGINEER]
        for version in ("2", "1"):  # version 2 is the previous one then
            change = {"version": version, "reason": "test"}
            assert client.post("/v1/models/blob/promote", json=change, headers=engineer).status_code == 200
        seen = client.get("/models", headers=engineer).text
        assert _buttons(seen) == ["Roll back to 2", "Promote 3", "Check 3", "Promote 2", "Check 2", "Retrain"]
        assert re.findall(r'class="standing">([^<]+)<', seen) == ["Previous champion", "Champion"]
        assert "<td>1.0000</td>" in seen, "the champion's image AUROC"
        chinese = client.get("/models?lang=zh", headers=engineer).text
        assert _buttons(chinese) == ["回退到版本 2", "启用版本 3", "检查 3", "启用版本 2", "检查 2", "再训练"]
        looked = client.get("/models?lang=en", headers=headers[Role.REVIEWER])
        assert looked.status_code == 200
        assert "Previous champion" in looked.text
        assert _buttons(looked.text) == []


def _buttons(page: str) -> list[str]:
    main = page[page.index("<main") : page.index("</main>")]
    return [text.strip() for text in re.findall(r"<button[^>]*>([^<]+)</button>", main)]
