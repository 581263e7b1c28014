"""A real little model, a home that holds it, and the service on a real socket."""

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import onnx
import pytest
import structlog
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trialsight.card import Card, GoldenFrame, Preparation, Promise, Provenance
from trialsight.compared import Compared, tag_of
from trialsight.files import sha256_of
from trialsight.home import Home
from trialsight.package import GOLDEN, GRAPH, write_card
from trialsight.package import RECIPE as TRAINED_BY
from trialsight.recipe import Recipe
from trialsight.verdict import Thresholds, Verdict

RECIPE = "blob"
SIZE = 64
THRESHOLDS = Thresholds(t1=20, t2=40, region=40)


def pytest_configure(config: pytest.Config) -> None:
    # MLflow is not ours to mend: it warns of its own and SQLAlchemy's deprecations on import.
    for module in ("mlflow", "pydantic", "sqlalchemy", "alembic", "google"):
        config.addinivalue_line("filterwarnings", rf"ignore::Warning:{module}(\.|$)")
    config.addinivalue_line("filterwarnings", "ignore:.*noload.*")


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings of this machine, no settings file of the folder that pytest runs in, and logs in plain lines."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "TRIALSIGHT_HOME", "TRIALSIGHT_HOST", "TRIALSIGHT_PORT"):
            patch.delenv(name, raising=False)
        patch.setenv("TRIALSIGHT_CONFIG", str(tmp_path_factory.getbasetemp() / "no-settings.yaml"))
        patch.setenv("TRIALSIGHT_FASTEST_RUNTIME", "false")  # the test of it says true; elsewhere it would take time
        yield
    structlog.reset_defaults()


def picture(blob: int = 0, seed: int = 0) -> NDArray[np.uint8]:
    """(64, 64, 3): mid-gray with a little noise, and a square of `blob` gray levels more in the upper right."""
    noise = np.random.default_rng(seed).integers(-3, 4, (SIZE, SIZE, 1))
    image = np.repeat(128 + noise, 3, axis=2)
    image[8:24, 40:56] += blob
    return np.clip(image, 0, 255).astype(np.uint8)


def encoded(image: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, image[..., ::-1])[1].tobytes()


@pytest.fixture
def good() -> bytes:
    return encoded(picture(seed=7))


@pytest.fixture
def bad() -> bytes:
    return encoded(picture(blob=100, seed=8))


@pytest.fixture
def frame() -> Callable[..., bytes]:
    """`frame(blob=…, seed=…, suffix=…)`: an encoded frame; a blob of 30 is for review, of 100 a reject."""

    def make(blob: int = 0, seed: int = 0, suffix: str = ".png") -> bytes:
        return encoded(picture(blob, seed), suffix)

    return make


def write_graph(path: Path) -> None:
    """|mean of each 8x8 block - 128| as the defect map, its highest value as the score."""
    constants = {
        "gray": np.array(128, np.float32),
        "channels": np.array([1], np.int64),
        "sides": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["frame"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["blocks"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ReduceMean", ["blocks", "channels"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "gray"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["defect_map"]),
        helper.make_node("ReduceMax", ["defect_map", "sides"], ["score"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "blob",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [
            helper.make_tensor_value_info("defect_map", TensorProto.FLOAT, ["N", SIZE // 8, SIZE // 8]),
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def write_package(folder: Path, recipe: str = RECIPE, change: Callable[[Card], Card] = lambda card: card) -> Path:
    """A package of the blob model whose golden frames are right; `change` alters its card before it is written."""
    from trialsight.inspector import Inspector

    (folder / GOLDEN).mkdir(parents=True)
    write_graph(folder / GRAPH)
    (folder / TRAINED_BY).write_text(Recipe(recipe, product="plate").to_yaml())
    for name, blob in (("good.png", 0), ("bad.png", 100)):
        (folder / GOLDEN / name).write_bytes(encoded(picture(blob, seed=1)))
    card = Card(
        recipe=recipe,
        created_at="2026-01-01T00:00:00Z",
        graph_sha256=sha256_of(folder / GRAPH),
        opset=18,
        detector={"name": "blob"},
        preparation=Preparation(SIZE, SIZE, frame_width_px=SIZE, frame_height_px=SIZE),
        thresholds=THRESHOLDS,
        promise=Promise(0.05, 20, "test"),
        calibration_scores=(1.0, 2.0),
        metrics={"image_auroc": 1.0},
        golden=(),
        provenance=Provenance("0" * 64, 0),
        product="plate",
        deadline_ms=60_000,  # a busy machine is no reason for a verdict to be late
    )
    write_card(folder, card)
    inspector = Inspector.load(folder)
    golden = []
    for name in ("good.png", "bad.png"):
        seen = inspector((folder / GOLDEN / name).read_bytes())
        assert seen.score is not None
        golden.append(GoldenFrame(name, sha256_of(folder / GOLDEN / name), seen.verdict, seen.score))
    write_card(folder, change(replace(card, golden=tuple(golden))))
    return folder


def wrong_golden(card: Card) -> Card:
    """Expects the defective golden frame to pass."""
    golden = [replace(frame, verdict=Verdict.PASS) if frame.file == "bad.png" else frame for frame in card.golden]
    return replace(card, golden=(*golden, replace(card.golden[1], file="bad.png")))


def register(home: Home, package: Path, recipe: str = RECIPE) -> str:
    """What training does at its end: the package as an MLflow model version."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    (home.root / "mlflow").mkdir(parents=True, exist_ok=True)
    client = MlflowClient(home.tracking_uri, home.tracking_uri)
    experiment = client.get_experiment_by_name(recipe)
    number = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(recipe, (home.mlflow_artifacts / recipe).as_uri())
    )
    run_id = client.create_run(number).info.run_id
    client.log_artifacts(run_id, str(package), "package")
    try:
        client.create_registered_model(recipe)
    except MlflowException:
        assert client.get_registered_model(recipe)
    return str(client.create_model_version(recipe, f"runs:/{run_id}/package", run_id).version)


def record_compared(home: Home, champion: str, version: str, recipe: str = RECIPE, **figures: Any) -> None:
    """What `trialsight compare --record` does; as good as the champion where `figures` don't say otherwise."""
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory() as folder:
        write_graph(Path(folder) / GRAPH)  # every package's is the same
        graph = sha256_of(Path(folder) / GRAPH)
    pairs = {"image_auroc": (0.99, 0.99), "escape_rate": (0.0, 0.0), "false_reject_rate": (0.0, 0.0)}
    found = Compared(graph, graph, "0" * 64, 20, 10, **{**pairs, **figures})
    client = MlflowClient(home.tracking_uri, home.tracking_uri)
    client.set_model_version_tag(recipe, version, tag_of(champion), json.dumps(found.to_json()))


@pytest.fixture(name="record_compared")
def record_compared_() -> Callable[..., None]:
    return record_compared


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 and 2 of `blob` are fine (2 rejects from 25 on), 3 has a golden frame that can't come right. Each is
    recorded to be as good as the others."""
    folder = tmp_path_factory.mktemp("template")
    home = Home.at(folder / "home")
    stricter = replace(THRESHOLDS, t1=10, t2=25)
    register(home, write_package(folder / "one"))
    register(home, write_package(folder / "two", change=lambda card: replace(card, thresholds=stricter)))
    register(home, write_package(folder / "three", change=wrong_golden))
    for champion, version in permutations("123", 2):
        record_compared(home, champion, version)
    return home.root


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """A home of the test's own with three registered versions; nothing is promoted."""
    shutil.copytree(template, tmp_path / "home")
    return Home.at(tmp_path / "home")


@pytest.fixture(scope="session")
def promoted_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trialsight_serving.models.promotion import promote

    root = tmp_path_factory.mktemp("promoted") / "home"
    shutil.copytree(template, root)
    promote(Home.at(root), RECIPE, "1")
    return root


@pytest.fixture
def promoted(promoted_template: Path, tmp_path: Path) -> Home:
    """A home of the test's own: version 1 is the champion, line L1 is bound to it."""
    shutil.copytree(promoted_template, tmp_path / "home")
    return Home.at(tmp_path / "home")


@pytest.fixture(name="write_package")
def write_package_() -> Callable[..., Path]:
    return write_package


@pytest.fixture(name="register")
def register_() -> Callable[..., str]:
    return register


Serve = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """`with serve(home, queue_limit=1) as client`: the service on a port of loopback, a free one unless `port` says
    which, stopped at the end."""

    @contextmanager
    def run(home: Home, **settings: Any) -> Iterator[httpx.Client]:
        from trialsight_serving.app import create_app
        from trialsight_serving.server import bind, make_server
        from trialsight_serving.settings import Settings

        made = Settings(**{"home": home.root, "workers": 2, "poll_s": 0.1, **settings})
        listener = bind("127.0.0.1", settings.get("port", 0))
        server = make_server(create_app(made), made)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the service did not start"
                time.sleep(0.01)
            with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
            listener.close()

    return run


@pytest.fixture(scope="module")
def shared(promoted_template: Path, tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[httpx.Client]:
    """One promoted service for a file's tests that leave nothing behind which others would notice."""
    root = tmp_path_factory.mktemp("shared") / "home"
    shutil.copytree(promoted_template, root)
    with serve(Home.at(root)) as client:
        yield client


@pytest.fixture(scope="module")
def target(promoted_template: Path, tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> Iterator[httpx.Client]:
    """A service with little patience, for hostile clients."""
    root = tmp_path_factory.mktemp("hostile") / "home"
    shutil.copytree(promoted_template, root)
    limits = {"header_timeout_s": 0.5, "body_timeout_s": 0.5, "max_connections": 12, "max_body_bytes": 4 * 2**20}
    with serve(Home.at(root), **limits) as client:
        yield client


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Any]:
    """A real mosquitto, running; see broker.py for what it can."""
    sys.path.insert(0, str(Path(__file__).parent))
    import broker

    with broker.running(tmp_path / "broker") as found:
        yield found


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait for something that another thread or process does; what has not come after a minute is stuck."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.02)

    return wait
