"""What HTTP and durability add to a bare inspection, and what becomes of frames when too many come."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.inspection.overhead import CASES, Case, prepare
from benchmarks.measure.bare import Bare
from benchmarks.measure.callers import lap
from benchmarks.measure.machine import describe_machine
from benchmarks.measure.progress import say
from benchmarks.measure.report import Report, write_report
from benchmarks.measure.timing import ratio, take_turns
from benchmarks.service import doors
from benchmarks.service.doors import Door, drive
from benchmarks.service.frames import distinct
from benchmarks.service.restart import Restarts, kill_and_restart
from benchmarks.service.tables import Cost, Pressed, cost_table, pressed_table, targets
from trialsight.files import remove_folder
from trialsight.package import load_package

# Small pictures, which make a server's own work weigh most, the size of configs/training/casting.yaml, and the size of
# the frame itself.
SERVED = (
    *CASES[:2],
    *(
        Case(f"casting 512×512, ResNet-18 trunk at {size} px", f"casting-{size}", "casting", "resnet18", size_px=size)
        for size in (384, 512)
    ),
)
CLIENTS = 2
LAP_S = 3.0
FRAMES = 3_000  # more than all laps post
WITHOUT_STORE = 64  # a server that stores nothing does not care whether it has seen a frame before
CAMERAS = 8
RESTARTS = 5
RECIPE = "bench"
INTRODUCTION = (
    "`trialsight serve` as it is run in earnest: a key is asked for, every frame is new, image, map and row are on the "
    "disk before the answer. Beside it, in the same run, the same graph behind a plain FastAPI handler and behind "
    "`mlflow models serve`, which check, judge and store nothing; behind that handler with the least that makes an "
    "answer durable (picture and map synced and renamed, one synced SQLite row: what no server of this kind can go "
    "below); and bare: decoded, resized and run by two threads. "
    "All of them, and the load's own process, share the machine's cores. Processor time stands beside the clock's, "
    "for where other work goes on, the clock tells of that too."
)


def run(shared: Path, place: Path, docs: Path, rounds: int, press_s: float) -> str:
    """The report's path. The first case is also put under pressure."""
    remove_folder(place)
    costs, pressed, restarts = [], [], []
    for number, case in enumerate(SERVED):
        found = measure(case, place, shared, rounds, 0 if number else press_s)
        costs += found[0]
        pressed += found[1]
        restarts += found[2]
    remove_folder(place)
    report = Report(
        name="service",
        title="Service: what HTTP, a durable verdict and too many frames cost",
        introduction=INTRODUCTION,
        machine=describe_machine(),
        repeat="make bench ARGS=service",
        tables=(cost_table(costs, CLIENTS), pressed_table(pressed, CAMERAS)),
        targets=(*targets(costs, pressed), *(one.target() for one in restarts)),
    )
    return str(write_report(report, docs))


def measure(
    case: Case, place: Path, shared: Path, rounds: int, press_s: float
) -> tuple[list[Cost], list[Pressed], list[Restarts]]:
    """Costs of the servers in turn, then, where `press_s` is above 0, each alone under an open load, and ours
    killed and started again."""
    say(f"{case.name}: training")
    package, files = prepare(case, place / case.folder, shared)
    files = distinct(files, FRAMES, place / case.folder / "frames")
    loaded = load_package(package)
    bare, deadline_ms = Bare(loaded), loaded.card.deadline_ms
    frames = [file.read_bytes() for file in files[:WITHOUT_STORE]]
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        opened = list(_open(stack, package, files, place / case.folder))
        laps = {door.name: 0 for door in opened}
        turns: dict[str, Callable[[], tuple[float, float]]] = {"bare": partial(_bare, bare, frames, pool)}
        turns |= {door.name: partial(_closed, door, laps) for door in opened}
        say(f"{case.name}: {rounds} rounds")
        seen = take_turns(turns, rounds)
        wall, cpu = ({name: [one[which] for one in found] for name, found in seen.items()} for which in (0, 1))
        costs = [
            Cost(
                case=case,
                door=name,
                wall=ratio(wall[name], wall["bare"]),
                cpu=ratio(cpu[name], cpu["bare"]),
                frame_ms=1000 * median(wall[name]),
                per_second=CLIENTS / median(wall[name]),
            )
            for name in turns
        ]
        pressed = []
        if press_s:
            rates = {cost.door: cost.per_second for cost in costs}
            for door in opened:
                known = deadline_ms if door is opened[0] else None
                for load in (0.8, 3.0):
                    say(f"{door.name} at {load:g} of its load")
                    plan = door.plan(CAMERAS, press_s, load * rates[door.name], laps[door.name])
                    pressed.append(Pressed(door.name, load, drive(door, plan), known))
    restarts = []
    if press_s:
        say(f"killed and started again, {RESTARTS} times")
        log = place / case.folder / "logs" / "restarted"
        restarts.append(kill_and_restart(package.parents[2], opened[0], CLIENTS, RESTARTS, log))
    return costs, pressed, restarts


def _open(stack: ExitStack, package: Path, files: list[Path], place: Path) -> Iterator[Door]:
    home = package.parents[2]
    few = files[:WITHOUT_STORE]
    (place / "logs").mkdir()
    yield stack.enter_context(doors.trialsight(home, RECIPE, files, place / "logs" / "trialsight"))
    yield stack.enter_context(doors.plain_fastapi(package, few, place / "logs" / "plain"))
    yield stack.enter_context(doors.plain_fastapi(package, few, place / "logs" / "storing", place / "storing"))
    yield stack.enter_context(doors.mlflow_serve(package, few, place, place / "logs" / "mlflow"))


def _bare(bare: Bare, frames: list[bytes], pool: ThreadPoolExecutor) -> tuple[float, float]:
    """Seconds a call, and of processor, with as many callers as clients."""
    one = lap(bare, frames, CLIENTS, pool)
    return one.call_s, one.cpu_s / (CLIENTS * len(frames))


def _closed(door: Door, laps: dict[str, int]) -> tuple[float, float]:
    found = drive(door, door.plan(CLIENTS, LAP_S, first=laps[door.name]))
    laps[door.name] += len(found.seen.answers)
    if len(found.seen.ms()) < len(found.seen.answers):
        raise RuntimeError(f"{door.name} refused frames of two clients in turn: {found.seen.answers[-3:]}")
    return found.frame_s, found.frame_cpu_s
