"""Runs in anomalib's own environment: reads one JSON command a line on stdin, answers one JSON line on stdout.

It imports nothing of this project. anomalib is used by its public doors (Patchcore, Folder, Engine, the inferencers),
with the same trunk, layers and input size as the other side of the comparison.
"""

# Its libraries lie in the other environment, out of mypy's sight.
# mypy: ignore-errors

import importlib.util
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import torch


def _declare_torchvision_schemas() -> Any:
    """torchvision's wheel is a CUDA build: beside a CPU-only torch two operators must be declared before its import."""
    spec = importlib.util.find_spec("torchvision")
    for extension in sorted(Path(spec.origin).parent.glob("_C*.*")):
        try:
            torch.ops.load_library(str(extension))
            return None
        except OSError:
            continue
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


LIBRARY = _declare_torchvision_schemas()

import numpy as np  # noqa: E402
from anomalib.data import Folder  # noqa: E402
from anomalib.data.utils import read_image  # noqa: E402
from anomalib.deploy import OpenVINOInferencer, TorchInferencer  # noqa: E402
from anomalib.engine import Engine  # noqa: E402
from anomalib.models import Patchcore  # noqa: E402
from lightning.pytorch import seed_everything  # noqa: E402

os.environ["TRUST_REMOTE_CODE"] = "1"  # TorchInferencer loads a pickle; this one was written a moment ago


# `torch` and `openvino` take files, as anomalib's inferencers do; the others are the graph alone, on a prepared frame.
KINDS = ("torch", "openvino", "openvino_prepared", "onnx")


class Worker:
    def __init__(self) -> None:
        self.runners: dict[str, Any] = {}

    def versions(self) -> dict[str, str]:
        from importlib.metadata import version

        return {name: version(name) for name in ("anomalib", "torch", "openvino", "onnxruntime", "timm")}

    def train(self, data: str, trunk: str, out: str, size_px: int, ratio: float) -> dict[str, Any]:
        """Fit PatchCore on train/good and save it as torch, ONNX and OpenVINO. `fit_s` is Engine.fit alone."""
        seed_everything(0)
        model = Patchcore(
            backbone="resnet18",
            layers=("layer2", "layer3"),
            pre_trained=False,
            coreset_sampling_ratio=ratio,
            pre_processor=Patchcore.configure_pre_processor(image_size=(size_px, size_px)),
        )
        _load_trunk(model.model.feature_extractor.feature_extractor, Path(trunk))
        parts = Folder(
            name="set",
            root=data,
            normal_dir="train/good",
            test_split_mode="none",
            val_split_mode="none",
            num_workers=min(2, os.cpu_count() or 1),
        )
        # No validation: it would only be time that is not fitting.
        engine = Engine(
            accelerator="cpu", logger=False, default_root_dir=out, enable_progress_bar=False, limit_val_batches=0
        )
        started = time.perf_counter()
        engine.fit(model=model, datamodule=parts)
        fit_s = time.perf_counter() - started
        model.eval()
        exported = {kind: self._export(model, kind, Path(out), size_px) for kind in KINDS}
        return {"fit_s": fit_s, "bank": len(model.model.memory_bank), "exported": exported}

    def _export(self, model: Patchcore, kind: str, out: Path, size_px: int) -> str:
        """`ok`, or why it could not be exported.

        Left to itself, 2.7 exports a graph with a fixed batch of two, which neither runtime takes one frame for; so the
        shapes are given: a batch of one, with any height and width where frames are resized in the graph.
        """
        sides = {2: torch.export.Dim("height"), 3: torch.export.Dim("width")}
        try:
            if kind == "torch":
                model.to_torch(out)
            elif kind == "openvino":
                model.to_openvino(out, onnx_kwargs={"dynamic_shapes": (sides,)})
            elif kind == "openvino_prepared":
                model.to_openvino(out, kind, (size_px, size_px), onnx_kwargs={"dynamic_shapes": None})
            else:
                model.to_onnx(out, kind, (size_px, size_px), dynamic_shapes=None)
        except Exception as error:
            traceback.print_exc()
            return f"{type(error).__name__}: {str(error).splitlines()[0]}"
        return "ok"

    def load(self, out: str, kind: str, threads: int, precision: str) -> dict[str, str]:
        """`threads` 0, `precision` empty: the runtime's own choice. Raises where the export failed."""
        weights = Path(out) / "weights"
        if kind == "torch":
            torch.set_num_threads(threads or os.cpu_count() or 1)
            self.runners[kind] = TorchInferencer(weights / "torch" / "model.pt", device="cpu").predict
        elif kind == "openvino":
            self.runners[kind] = _openvino(weights / "openvino" / "model.xml", threads, precision).predict
        elif kind == "openvino_prepared":
            graph = _openvino(weights / "openvino" / f"{kind}.xml", threads, precision).model
            example = _example(graph.input(0).shape)
            self.runners[kind] = lambda _frame: graph(example)
        else:
            session = _session(weights / "onnx" / f"{kind}.onnx", threads)
            (taken,) = session.get_inputs()
            feed = {taken.name: _example(taken.shape)}
            self.runners[kind] = lambda _frame: session.run(None, feed)
        return {"loaded": kind}

    def judge(self, out: str, frames: list[str], to: str) -> dict[str, int]:
        """Raw scores and maps of the torch model, before normalisation and thresholds, as an .npz."""
        model = TorchInferencer(Path(out) / "weights" / "torch" / "model.pt", device="cpu").model
        scores, maps = [], []
        with torch.no_grad():
            for frame in frames:
                image = read_image(frame, as_tensor=True).unsqueeze(0)
                found = model.model(model.pre_processor(image))
                scores.append(float(found.pred_score.squeeze()))
                maps.append(found.anomaly_map.squeeze().numpy())
        np.savez(to, scores=np.array(scores, np.float32), maps=np.stack(maps))
        return {"frames": len(frames)}

    def time(self, kind: str, frames: list[str]) -> dict[str, float]:
        """From the files to predictions; for the two kinds without preparation, the graph alone."""
        run = self.runners[kind]
        wall, cpu = time.perf_counter(), time.process_time()
        with torch.no_grad():
            for frame in frames:
                run(frame)
        return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def _load_trunk(module: torch.nn.Module, trunk: Path) -> None:
    found = torch.load(trunk, map_location="cpu", weights_only=True)
    missing = module.load_state_dict(found, strict=False).missing_keys
    if missing := [key for key in missing if not key.endswith("num_batches_tracked")]:
        raise ValueError(f"the trunk lacks {missing[0]} and {len(missing) - 1} more")


def _openvino(graph: Path, threads: int, precision: str) -> Any:
    wanted = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
    return OpenVINOInferencer(graph, device="CPU", config={key: value for key, value in wanted.items() if value})


def _session(graph: Path, threads: int) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _example(shape: Any) -> Any:
    return np.random.default_rng(0).random(tuple(shape), np.float32)


def main() -> None:
    # Libraries print; the pipe to the other side is for answers alone.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
