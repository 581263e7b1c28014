"""The Open Inference Protocol with the clients that people have: Triton's and KServe's."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from trialsight.home import Home

MODEL = "/v2/models/blob"


def pixels(data: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_triton_client(shared: httpx.Client, good: bytes, bad: bytes, binary: bool) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    client = triton.InferenceServerClient(f"{shared.base_url.host}:{shared.base_url.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("blob")
    assert client.is_model_ready("blob", "1")
    assert not client.is_model_ready("nothing")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    (taken,) = client.get_model_metadata("blob")["inputs"]
    assert (taken["name"], taken["datatype"], taken["shape"]) == ("frame", "UINT8", [-1, 64, 64, 3])
    frames = np.stack([pixels(good), pixels(bad), pixels(good)])
    sent = triton.InferInput("frame", list(frames.shape), "UINT8")
    sent.set_data_from_numpy(frames, binary_data=binary)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("score", "defect_map")]
    found = client.infer("blob", [sent], request_id="7", outputs=outputs)
    assert found.get_response()["id"] == "7"
    scores, maps = found.as_numpy("score"), found.as_numpy("defect_map")
    assert (scores.shape, maps.shape, maps.dtype) == ((3,), (3, 8, 8), np.float32)
    for data, score, defect_map in zip((good, bad), scores, maps, strict=False):
        posted = shared.post("/v1/lines/L1/frames", content=data, headers={"Content-Type": "image/png"}).json()
        assert score == pytest.approx(posted["score"])
        assert defect_map.max() == pytest.approx(score)
    whole = client.infer("blob", [sent], model_version="1")  # no outputs named: all of them, binary
    np.testing.assert_array_equal(whole.as_numpy("score"), scores)
    with pytest.raises(triton.InferenceServerException, match="nothing is not loaded"):
        client.infer("nothing", [sent])
    client.close()


KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
async def ask(url, path):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    live = await client.is_server_live(url), await client.is_server_ready(url), await client.is_model_ready(url, "blob")
    frame = np.load(path)
    found = {}
    for binary in (False, True):
        sent = InferInput("frame", list(frame.shape), "UINT8")
        sent.set_data_from_numpy(frame, binary_data=binary)
        answer = await client.infer(url, InferRequest(model_name="blob", infer_inputs=[sent]), model_name="blob")
        found[str(binary)] = [float(one) for one in answer.get_output_by_name("score").as_numpy()]
    print(json.dumps([live, found]))
asyncio.run(ask(*sys.argv[1:]))
"""


def test_kserve_client(shared: httpx.Client, bad: bytes, tmp_path: Any) -> None:
    """KServe's client pins libraries to older versions than ours, so `make test` gives it an environment of its own."""
    python = Path(sys.prefix) / "kserve" / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"KServe's client is not installed in {python.parents[1]}: `make test` does it where it can")
    np.save(tmp_path / "frame.npy", pixels(bad)[np.newaxis])
    command = [python, "-c", KSERVE, str(shared.base_url), str(tmp_path / "frame.npy")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    live, found = json.loads(done.stdout.splitlines()[-1])
    assert live == [True, True, True]
    posted = shared.post("/v1/lines/L1/frames", content=bad, headers={"Content-Type": "image/png"}).json()
    assert found == {"False": [pytest.approx(posted["score"])], "True": [pytest.approx(posted["score"])]}


def ask(**changes: Any) -> dict[str, Any]:
    frame = {"name": "frame", "datatype": "UINT8", "shape": [1, 64, 64, 3], "data": [128] * (64 * 64 * 3)}
    return {"inputs": [frame | changes]}


BAD: dict[str, tuple[Any, str]] = {
    "no inputs": ({}, "not one of the protocol"),
    "another name": (ask(name="image"), "one input, 'frame'"),
    "another type": (ask(datatype="FP32"), "of FP32"),
    "another size": (ask(shape=[1, 32, 32, 3]), "the model takes [n, 64, 64, 3]"),
    "no frame": (ask(shape=[0, 64, 64, 3], data=[]), "the model takes"),
    "too few numbers": (ask(data=[1, 2, 3]), "must be 12288 whole numbers"),
    "ragged": (ask(data=[[1], [2, 3]]), "must be 12288 whole numbers"),
    "fractions": (ask(data=[0.5] * 12288), "whole numbers from 0 to 255"),
    "beyond a byte": (ask(data=[256] * 12288), "whole numbers from 0 to 255"),
    "binary that is not there": (ask(data=None, parameters={"binary_data_size": 12288}), "0 came"),
    "an output that is not there": (ask() | {"outputs": [{"name": "class"}]}, "no output 'class'"),
}


@pytest.mark.parametrize(("body", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_named(shared: httpx.Client, body: Any, said: str) -> None:
    answer = shared.post(f"{MODEL}/infer", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert said in answer.json()["error"] == answer.json()["detail"]


def test_lengths_that_lie(shared: httpx.Client) -> None:
    for length in ("0", "-1", "9999999", "x"):
        answer = shared.post(f"{MODEL}/infer", content=b"{}", headers={"Inference-Header-Content-Length": length})
        assert answer.status_code == 400, length


def test_it_is_bounded_as_a_line_is_and_records_nothing(
    promoted: Home, serve: Callable[..., httpx.Client], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    with serve(promoted, max_body_bytes=100_000) as client:
        assert client.post(f"{MODEL}/infer", json=ask()).status_code == 200
        assert client.get("/v1/parts").json()["parts"] == []
        assert client.post(f"{MODEL}/infer", content=b" " * 100_001).status_code == 413
        refused = client.post(f"{MODEL}/infer", json=ask(), headers={"X-Deadline-Ms": "1"})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
