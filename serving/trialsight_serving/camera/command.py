"""`trialsight camera`."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def camera(
    source: Annotated[
        str, typer.Option(help="A folder, video:0, rtsp://…, genicam:PRODUCER.cti, or `simulated[:LINE.yaml]`.")
    ],
    line: Annotated[str, typer.Option(help="The line to post to.")] = "L1",
    url: Annotated[str, typer.Option(help="The service's address.")] = "http://127.0.0.1:8000",
    view: Annotated[str | None, typer.Option(help="The view of the part, where a line has several.")] = None,
    trial: Annotated[str | None, typer.Option(help="The trial run that the parts belong to.")] = None,
    watch: Annotated[bool, typer.Option(help="Wait for new files in the folder, without end.")] = False,
    interval: Annotated[float, typer.Option(min=0, help="Seconds from one frame to the next, at least.")] = 1.0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many frames.")] = None,
    encode: Annotated[Literal["jpeg", "png"], typer.Option(help="How a camera's pixels are sent.")] = "jpeg",
    seed: Annotated[int | None, typer.Option(help="Of a named source; for a folder, shuffles it.")] = None,
    defect_share: Annotated[float, typer.Option(min=0, max=1, help="Share of defective parts, simulated.")] = 0.3,
    home: Annotated[Path | None, typer.Option("--home", help="Folder that holds everything; the buffer too.")] = None,
    buffer: Annotated[Path | None, typer.Option(help="Where frames wait; else camera/LINE in the home.")] = None,
    buffer_mib: Annotated[int, typer.Option(min=1, help="Room for waiting frames; then the oldest make room.")] = 2048,
    api_key: Annotated[str | None, typer.Option(envvar="TRIALSIGHT_API_KEY", help="A camera key.")] = None,
    patience: Annotated[
        float | None, typer.Option(help="End after so many seconds without answer; else never.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a frame.")] = False,
) -> None:
    """Post frames to a line and print each verdict, until the frames end or Ctrl-C.

    Frames wait on this disk until the service has answered: in order and each once, whatever is killed or unreachable.
    """
    import signal
    import threading

    from trialsight.home import Home
    from trialsight_serving.camera.agent import Agent
    from trialsight_serving.camera.report import Reporter
    from trialsight_serving.camera.sources import limited, open_source
    from trialsight_serving.camera.sources.video import plain_url
    from trialsight_serving.camera.spool import Spool
    from trialsight_serving.camera.tell import Teller
    from trialsight_serving.client import Client

    opened = open_source(source, seed=seed, defect_share=defect_share, watch=watch, encode=encode)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    spool = Spool(buffer or Home.at(home).camera(line, view or "default"), buffer_mib * 2**20)
    teller = Teller(as_json)
    if waiting := spool.backlog().frames:
        teller.warn(f"{waiting} frames are waiting from before; they go first")
    try:
        with Client(
            url, api_key, patience_s=patience, wait=lambda s: not stop.wait(s), on_retry=teller.retrying
        ) as client:
            agent = Agent(
                source=limited(opened, count),
                spool=spool,
                client=client,
                line=line,
                interval_s=interval,
                stop=stop,
                tell=teller.shot,
                warn=teller.warn,
                view=view,
                trial=trial,
            )
            reporter = Reporter(client, spool, line, view or "default", plain_url(source))
            reporter.start()
            try:
                agent.run()
            finally:
                reporter.close()
        if agent.finished:
            spool.forget()  # to show the same folder again is to mean it; after a crash the rest is meant
        if left := spool.backlog().frames:
            teller.warn(f"{left} frames wait for the next start")
    finally:
        spool.close()
    teller.end()
