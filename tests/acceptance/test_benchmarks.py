"""The benchmarks' own parts, on small data; what they measure is for them to say, never for a test."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks/ is a tool of the repository, in no wheel

from benchmarks.__main__ import app  # noqa: E402
from benchmarks.inspection.memory import memory_over, memory_target  # noqa: E402
from benchmarks.learning.contest import Contest, Entry, save  # noqa: E402
from benchmarks.learning.run import load  # noqa: E402
from benchmarks.learning.targets import learning_targets  # noqa: E402
from benchmarks.measure.bare import Bare  # noqa: E402
from benchmarks.measure.callers import lap  # noqa: E402
from benchmarks.measure.report import Report, Table, Target, render, write_report  # noqa: E402
from benchmarks.measure.scoring import score  # noqa: E402
from benchmarks.measure.timing import Ratio, ratio, take_turns  # noqa: E402

from trialsight.inspector import Inspector  # noqa: E402
from trialsight_datasets import read_image_set  # noqa: E402
from trialsight_training.evaluate import evaluate_package  # noqa: E402


def test_the_list_names_every_benchmark() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {line.split()[0] for line in done.stdout.splitlines()} == commands
    assert "service" in commands


def test_a_missing_shared_folder_is_one_line(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks", "learning", "--shared", tmp_path]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("benchmarks: ")
    assert "--shared" in done.stderr


def test_contenders_take_turns_and_none_always_comes_first() -> None:
    order: list[str] = []
    turns = {name: lambda name=name: order.append(name) or len(order) for name in "ab"}
    results = take_turns(turns, rounds=3, warm_up=1)
    assert "".join(order) == "ba" + "ab" + "ba" + "ab"
    assert {name: len(found) for name, found in results.items()} == {"a": 3, "b": 3}


def test_a_ratio_pairs_neighbours() -> None:
    # A machine that slows down tenfold half way leaves the ratio alone; the ratio of medians would be 0.2 or 2.
    assert ratio([2, 2, 20, 20], [1, 1, 10, 10]) == Ratio(2, 2, 2, 4)
    assert str(ratio([1, 3, 2], [1, 1, 1])) == "2.00 (1.00–3.00)"
    with pytest.raises(ValueError, match="argument 2"):
        ratio([1, 2], [1])


def test_each_caller_sends_every_frame() -> None:
    seen: list[bytes] = []
    with ThreadPoolExecutor(2) as pool:
        found = lap(seen.append, [b"1", b"2", b"3"], callers=2, pool=pool)
    assert sorted(seen) == [b"1", b"1", b"2", b"2", b"3", b"3"]
    assert 0 <= found.call_s <= found.wall_s


def report(**changes: object) -> Report:
    fields = {
        "name": "small",
        "title": "Small",
        "introduction": "What it is.",
        "machine": "2 cores",
        "repeat": "make bench ARGS=small",
        "tables": (Table("Times", ("what", "ratio"), (("one", "1.00"), ("two", "2.00")), "A note."),),
        "targets": (Target("fast", "1.00×", True), Target("small", "2.00×", False), Target("kind", "-", None)),
    }
    return Report(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_report_says_what_holds_and_how_to_repeat_it(tmp_path: Path) -> None:
    path = write_report(report(), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path.name == "small.md"
    assert text == render(report())
    assert "| fast | 1.00× | yes |" in text
    assert "| small | 2.00× | **no** |" in text
    assert "| kind | - | not measured |" in text
    assert "| what | ratio |\n| --- | ---: |\n| one | 1.00 |\n| two | 2.00 |" in text
    assert "make bench ARGS=small" in text
    assert str(ROOT) not in text


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="3 cells, there are 2 columns"):
        Table("Times", ("what", "ratio"), (("one", "1.00", "-"),))


def entry(auroc: float, frame_s: tuple[float, ...], fit_s: float = 5.0) -> Entry:
    return Entry({"image_auroc": auroc, "pixel_auroc": None, "aupro": 0.5}, fit_s, 2000, (256, 256), frame_s, frame_s)


def test_targets_follow_from_the_entries_of_a_saved_contest(tmp_path: Path) -> None:
    entries = {
        "trunk": entry(0.95, (0.03, 0.06)),
        "shipped": entry(0.94, (0.01, 0.02)),
        "trunk int8": entry(0.945, (0.015, 0.03)),
        "random": entry(0.70, (0.03, 0.06)),
        "anomalib": entry(0.93, (0.06, 0.12), 100.0),
    }
    contest = Contest("casting", entries, {"trunk": Ratio(8, 8, 8, 1), "plain": Ratio(20, 20, 20, 1)}, "2026-01-01")
    save(contest, tmp_path / "casting.json")
    assert load(tmp_path / "casting.json") == contest
    assert contest.frame("trunk", "anomalib") == Ratio(0.5, 0.5, 0.5, 2)
    held = {target.text: target.holds for target in learning_targets([contest], trunks=Ratio(0.2, 0.2, 0.2, 1))}
    assert [text for text, holds in held.items() if not holds] == [
        "AUPRO ≥ anomalib's + 0.03 in the mean",
        "shipped backbone: mean image AUROC ≥ the trunk's − 0.005",
    ]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good and two defective gray frames with masks, in the MVTec layout."""
    root = tmp_path_factory.mktemp("parts")
    folders = ("train/good", "test/good", "test/spot", "ground_truth/spot")
    for folder in folders:
        (root / folder).mkdir(parents=True)
    for index in range(2):
        frame = np.random.default_rng(index).integers(124, 133, (96, 96, 3), dtype=np.uint8)
        for folder in folders[:2]:
            cv2.imwrite(str(root / folder / f"{index}.png"), frame)
        mask = np.zeros((96, 96), np.uint8)
        mask[20:40, 30:60] = 255
        frame[mask > 0] = 255
        cv2.imwrite(str(root / "test/spot" / f"{index}.png"), frame)
        cv2.imwrite(str(root / "ground_truth/spot" / f"{index}_mask.png"), mask)
    return root


def test_the_rival_is_scored_as_we_are(parts: Path, make_package: "object") -> None:
    inspector = Inspector.load(make_package())  # type: ignore[operator]
    samples = read_image_set(parts).test
    evaluation = evaluate_package(inspector, samples)
    scores = np.array([one.score for one in evaluation.judged], np.float32)
    found = score(samples, scores, np.stack([one.defect_map for one in evaluation.judged]))
    assert found == {name: evaluation.metrics[name] for name in found}
    assert found["image_auroc"] == 1


def test_the_bare_path_runs_the_same_graph(parts: Path, make_package: "object") -> None:
    inspector = Inspector.load(make_package())  # type: ignore[operator]
    data = (parts / "test/spot/0.png").read_bytes()
    score_of = Bare(inspector.package)(data)
    assert score_of == pytest.approx(inspector(data).score)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="resident memory is read from /proc")
def test_memory_is_watched_in_a_process_of_its_own(parts: Path, make_package: "object") -> None:
    found = memory_over(make_package(), 2000, [parts / "test/good/0.png"])  # type: ignore[operator]
    assert list(found) == [1000, 2000]
    assert all(mib > 10 for mib in found.values())
    assert memory_target({1000: 100.0, 10_000: 103.9}).holds
    assert not memory_target({1000: 100.0, 10_000: 104.1}).holds
