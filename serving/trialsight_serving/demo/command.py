"""`trialsight demo`: simulate, train, gate, serve, and watch parts go by."""

from pathlib import Path
from typing import Annotated

import typer

ONCE_FRAMES = 30


def demo(
    home: Annotated[Path, typer.Option(help="Everything the demo writes lies here.")] = Path("demo"),
    once: Annotated[bool, typer.Option(help=f"Inspect {ONCE_FRAMES} frames, write summary.json, and end.")] = False,
    port: Annotated[int, typer.Option(help="Port of the service; 0 takes a free one.")] = 8000,
    seed: Annotated[int, typer.Option(help="Seed of the simulated parts.")] = 1,
    line: Annotated[Path | None, typer.Option(help="A virtual line's YAML file; else the bracket's.")] = None,
) -> None:
    """Show the main job: simulate a product, train on 20 good parts, pass the gate, serve, inspect."""
    import signal

    from rich.console import Console

    from trialsight.home import Home
    from trialsight_serving.demo import story
    from trialsight_serving.demo.processes import check_port

    place = Home.at(home)
    port = check_port(story.HOST, port)
    console = Console(soft_wrap=True)
    # Also where a shell started us with SIGINT ignored, and for a supervisor's SIGTERM: nothing may stay behind.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        failure = story.play(place, port, seed, ONCE_FRAMES if once else None, console, line)
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return
    if failure is not None:
        console.print(f"[bold]The demo did not work:[/] {failure}")
        raise typer.Exit(1)
