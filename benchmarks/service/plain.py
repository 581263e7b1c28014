"""`python -m benchmarks.service.plain PACKAGE PORT [STORE]`: the same model behind a handler that anybody would write.

No queue, no deadline, no thresholds: bytes in, score out. It uses a thread as it should, so that it differs from the
service by what the service does and not by a beginner's mistake. With a folder STORE it keeps what it answers, with the
least that survives a power cut.
"""

import sqlite3
import sys
from pathlib import Path
from threading import Lock
from uuid import uuid4

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from benchmarks.measure.bare import Bare
from trialsight.files import write_atomic
from trialsight.package import load_package


class Store:
    """Picture and map by temporary file, fsync and rename; then a row, synced as it commits."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder, self._lock = folder, Lock()
        self._rows = sqlite3.connect(folder / "rows.db", check_same_thread=False, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = FULL")
        self._rows.execute("CREATE TABLE results (id TEXT PRIMARY KEY, score REAL)")

    def keep(self, data: bytes, defect_map: NDArray[np.float32], score: float) -> None:
        name = uuid4().hex
        write_atomic(self._folder / f"{name}.jpg", data)
        write_atomic(self._folder / f"{name}.map", defect_map.tobytes())
        with self._lock:
            self._rows.execute("INSERT INTO results VALUES (?, ?)", (name, score))


def make_app(package: Path, store: Store | None) -> FastAPI:
    app, bare = FastAPI(), Bare(load_package(package))

    def judge(data: bytes) -> float:
        defect_map, score = bare.run(data)
        if store is not None:
            store.keep(data, defect_map, score)
        return score

    @app.get("/ping")
    async def ping() -> bool:
        return True

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, float]:
        return {"score": await run_in_threadpool(judge, await request.body())}

    return app


if __name__ == "__main__":
    kept = Store(Path(sys.argv[3])) if len(sys.argv) > 3 else None
    uvicorn.run(make_app(Path(sys.argv[1]), kept), port=int(sys.argv[2]), access_log=False, log_level="warning")
