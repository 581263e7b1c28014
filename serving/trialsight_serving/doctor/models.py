"""Models: are the packages as they were signed, and do they give the verdicts they must, on this machine's engines?"""

from collections.abc import Iterator

from trialsight.engines.engine import installed_engines
from trialsight.errors import PackageError
from trialsight.gate import run_gate
from trialsight.home import model_name
from trialsight.inspector import Inspector
from trialsight.package import CARD, load_package
from trialsight_serving.doctor.database import active_versions
from trialsight_serving.doctor.finding import Finding, fault, ok, warning
from trialsight_serving.settings import Settings


def check_models(settings: Settings) -> Iterator[Finding]:
    """Checksums of every package in the home; golden frames of those that give verdicts."""
    paths = settings.paths
    live = {paths.package(model_name(recipe, owner), version) for owner, recipe, version in active_versions(settings)}
    if not live:
        yield warning("models", "no model gives verdicts", "trialsight promote RECIPE VERSION")
    sound = 0
    for folder in sorted({card.parent for card in paths.packages.glob(f"*/*/{CARD}")} | live):
        name = f"{folder.parent.name} version {folder.name}"
        if not folder.exists():
            remedy = "the service fetches it from MLflow when it starts; MLflow must be there then"
            yield warning("models", f"{name} gives verdicts and is not in the home", remedy)
            continue
        try:
            load_package(folder)
        except PackageError as error:
            remedy = f"delete {folder}; the service fetches it again from MLflow"
            yield (fault if folder in live else warning)("models", error.problem, remedy)
            continue
        sound += 1
        if folder in live:
            yield from _golden(name, Inspector.load(folder))
    yield ok("models", f"{sound} packages, their checksums are right")


def check_engines(settings: Settings) -> Iterator[Finding]:
    found = installed_engines()
    if "onnxruntime" not in found:
        yield fault("engines", "ONNX Runtime is not installed", "pip install onnxruntime")
        return
    missing = "" if "openvino" in found or not settings.fastest_runtime else "; OpenVINO is often faster"
    yield ok("engines", ", ".join(f"{name} {version}" for name, version in found.items()) + missing)


def _golden(name: str, inspector: Inspector) -> Iterator[Finding]:
    report = run_gate(inspector)
    if report.ok:
        yield ok("models", f"{name}: its golden frames get their verdicts")
    else:
        remedy = "promote another version, and train this one again"
        yield fault("models", f"{name}: {'; '.join(report.problems)}", remedy)
