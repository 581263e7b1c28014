"""`python -m benchmarks.service.plain PACKAGE PORT`: the same model behind the handler that anybody would write.

No queue, no deadline, no thresholds, no store: bytes in, score out. It uses a thread as it should, so that it differs
from the service by what the service does and not by a beginner's mistake.
"""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from benchmarks.measure.bare import Bare
from trialsight.package import load_package


def make_app(package: Path) -> FastAPI:
    app, bare = FastAPI(), Bare(load_package(package))

    @app.get("/ping")
    async def ping() -> bool:
        return True

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, float]:
        return {"score": await run_in_threadpool(bare, await request.body())}

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(Path(sys.argv[1])), port=int(sys.argv[2]), access_log=False, log_level="warning")
