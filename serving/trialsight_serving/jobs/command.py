"""`trialsight worker` and `trialsight retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trialsight_serving.store.jobs import JobRecord

_Home = Annotated[Path | None, typer.Option("--home", help="Folder that holds everything.")]


def worker(home: _Home = None) -> None:
    """Do what waits to be done (retraining), one job after the other, until SIGTERM or Ctrl-C.

    An interrupted job goes on with the next start. The line comes first: its work runs at the lowest priority.
    """
    import signal
    import threading

    from trialsight_serving import log
    from trialsight_serving.jobs.open import open_worker

    log.set_up()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_worker(home) as opened:
        opened.wait_for_lock(stop)
        opened.worker.run(stop)


def retrain(
    recipe: Annotated[str, typer.Argument(help="The recipe whose champion is to be improved.")],
    home: _Home = None,
    organisation: Annotated[str, typer.Option(help="Whose recipe it is.")] = "default",
    wait: Annotated[bool, typer.Option(help="Wait for its end; without, it is only queued for the worker.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn from what people decided: a new set version, a new model, compared with the champion, its challenger."""
    import json

    from trialsight.errors import TrialsightError
    from trialsight_serving import log
    from trialsight_serving.jobs.open import open_worker

    log.set_up()  # on stderr: stdout is for the result

    def tell(job: "JobRecord", step: str, share: float | None) -> None:
        del job
        typer.echo(f"{step}{'' if share is None else f': {share:.0%}'}", err=True)

    with open_worker(home, tell) as opened:
        job = opened.ask(recipe, organisation)
        ended = opened.finish(job) if wait else job
    if as_json:
        typer.echo(json.dumps(_plain(ended)))
    elif wait:
        _say(ended)
    else:
        typer.echo(f"job {job.id} waits for the worker: trialsight worker")
    if ended.problem is not None:
        raise TrialsightError(f"job {ended.id}: {ended.problem}")


def _say(job: "JobRecord") -> None:
    results = job.results
    if "challenger" not in results:
        typer.echo(f"job {job.id} {job.state}")
        return
    added, changed = results["set"]["added"], results["set"]["changed"]
    typer.echo(f"set {results['set']['name']}@{results['set']['version'][:12]}: {added} frames more, {changed} changed")
    for one in results["compare"]["differences"]:
        typer.echo(f"{one['name']:<16} {_number(one['a'])} -> {_number(one['b'])}")
    typer.echo(f"comparison: {results['compare']['report']}")
    why = results["challenger"].get("why")
    version = results["train"]["version"]
    promote = f"trialsight promote {job.recipe} {version}"
    if job.organisation_id != "default":
        promote += f" --organisation {job.organisation_id}"
    typer.echo(
        f"version {version} is no challenger: {why}"
        if why
        else f"version {version} is the champion now, as the recipe says"
        if results["promote"]["version"]
        else f"version {version} runs as challenger; make it the champion: {promote}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _plain(job: "JobRecord") -> dict[str, object]:
    from dataclasses import asdict

    return {name: str(value) if hasattr(value, "isoformat") else value for name, value in asdict(job).items()}
