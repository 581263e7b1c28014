"""Loaded by schemathesis itself (test_openapi.py): real pictures as bodies, and ids that exist in half of its paths."""

import json
import os
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies

_FOLDER = Path(os.environ["TRIALSIGHT_TEST_FRAMES"])
_KNOWN: dict[str, str] = json.loads(os.environ["TRIALSIGHT_TEST_IDS"])

for kind, suffix in {"image/png": "png", "image/jpeg": "jpg", "image/bmp": "bmp", "image/tiff": "tiff"}.items():
    files = [path.read_bytes() for path in sorted(_FOLDER.glob(f"*.{suffix}"))]
    schemathesis.openapi.media_type(kind, strategies.sampled_from(files))
schemathesis.openapi.media_type("application/octet-stream", strategies.binary(max_size=64))


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    for name, value in (path_parameters or {}).items():
        if name in _KNOWN and len(str(value)) % 2 == 0:
            assert path_parameters is not None
            path_parameters[name] = _KNOWN[name]
    return path_parameters
