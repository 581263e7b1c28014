"""`trialsight camera`."""

from typing import Annotated

import typer


def camera(
    source: Annotated[str, typer.Option(help="A folder of images, or a named source such as `simulated`.")],
    line: Annotated[str, typer.Option(help="The line to post to.")] = "L1",
    url: Annotated[str, typer.Option(help="The service's address.")] = "http://127.0.0.1:8000",
    interval: Annotated[float, typer.Option(min=0, help="Seconds from one frame to the next.")] = 1.0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many frames.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a named source; for a folder, shuffles it.")] = None,
    defect_share: Annotated[float, typer.Option(min=0, max=1, help="Share of defective parts, simulated.")] = 0.3,
    api_key: Annotated[str | None, typer.Option(envvar="TRIALSIGHT_API_KEY", help="A camera key.")] = None,
    patience: Annotated[float | None, typer.Option(help="Give a frame up after so many seconds; else never.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a frame.")] = False,
) -> None:
    """Post frames to a line and print each verdict, until the frames end or Ctrl-C."""
    import signal
    import threading

    from trialsight_serving.camera.agent import run_camera
    from trialsight_serving.camera.sources import limited, open_source
    from trialsight_serving.camera.tell import Teller
    from trialsight_serving.client import Client

    frames = limited(open_source(source, seed, defect_share), count)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    teller = Teller(as_json)
    with Client(url, api_key, patience_s=patience, wait=lambda s: not stop.wait(s), on_retry=teller.retrying) as client:
        run_camera(frames, client, line, interval, stop, teller.shot)
    teller.end()
