"""A result with the field names of `ResultDataType`, OPC 40100-1 (Machine Vision), 1.00, in OPC UA's JSON spelling.

https://reference.opcfoundation.org/MachineVision/v100/docs/12.17 and 12.19 for ResultState.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from trialsight_serving.store.frames import FrameRecord

COMPLETED, ABORTED, FAILED = 1, 3, 4


def result_message(record: FrameRecord, key: str | None) -> dict[str, Any]:
    """`key`: what the camera called this measurement. Times are UTC, durations milliseconds, hashes base64."""
    spent_ms = sum(record.timings_ms.values())
    configuration = {"Id": f"{record.line}/{record.view}"}
    message: dict[str, Any] = {
        "ResultId": {"Id": record.id},
        "HasTransferableDataOnFile": True,
        "IsPartial": record.is_partial,
        "IsSimulated": record.process.get("simulated") is True,
        "ResultState": _state(record),
        "PartId": {"Id": record.part},
        "ExternalRecipeId": {"Id": record.recipe},
        "InternalRecipeId": {
            "Id": f"{record.recipe}/{record.model_version}",
            "Version": record.model_version,
            "Hash": base64.b64encode(bytes.fromhex(record.graph_sha256)).decode(),
            "HashAlgorithm": "SHA-256",
        },
        "ProductId": {"Id": record.product or record.recipe, "Description": record.variant},
        "ExternalConfigurationId": configuration,
        "InternalConfigurationId": configuration,
        "JobId": {"Id": record.trial or record.part_id},
        "CreationTime": _time(record.received_at),
        "ProcessingTimes": {
            "StartTime": _time(record.received_at),
            "EndTime": _time(record.received_at + timedelta(milliseconds=spent_ms)),
            "ProcessingDuration": round(spent_ms - record.timings_ms.get("read", 0.0), 3),
        },
        "ResultContent": [_content(record)],
    }
    if key is not None:
        message["MeasId"] = {"Id": key}
    return message


def message_text(record: FrameRecord, key: str | None) -> str:
    return json.dumps(result_message(record, key), ensure_ascii=False, separators=(",", ":"))


def _state(record: FrameRecord) -> int:
    if record.verdict != "no_verdict":
        return COMPLETED
    return ABORTED if (record.why or {}).get("code") == "late" else FAILED


def _content(record: FrameRecord) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "verdict": record.verdict,
        "reason": record.reason,
        "score": record.score,
        "thresholds": record.thresholds,
        "regions": record.regions,
        "part_verdict": record.part_verdict,
        "part_reason": record.part_reason,
        "line": record.line,
        "view": record.view,
        "trial": record.trial or None,
        "process": record.process,
        "image_url": f"/v1/frames/{record.id}/image",
        "map_url": None if record.map_sha256 is None else f"/v1/frames/{record.id}/map",
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
