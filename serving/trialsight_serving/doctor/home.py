"""The folder and its disk: may this user write there, may others read it, is there room, is the clock right?"""

import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trialsight_serving.doctor.finding import Finding, fault, ok, warning
from trialsight_serving.settings import Settings

_FUTURE_S = 120.0
_BUILT = datetime(2025, 1, 1, tzinfo=UTC)  # no clock that is right says less


def check_home(settings: Settings) -> Iterator[Finding]:
    root = settings.paths.root
    if not root.exists():
        yield warning("home", f"{root} is not there yet", "the service makes it; or name another by --home")
        return
    if not root.is_dir():
        yield fault("home", f"{root} is a file", "name a folder by --home or TRIALSIGHT_HOME")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=root, prefix=".doctor-") as file:
            file.write(b"ok")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield fault("home", f"{root} can't be written: {error.strerror}", f"chown -R {_user()} {root}")
        return
    yield ok("home", str(root))
    yield from _foreign(root)
    yield from _readable_by_all(settings)


def check_disk(settings: Settings) -> Iterator[Finding]:
    root = settings.paths.root
    if not root.is_dir():
        return
    usage = shutil.disk_usage(root)
    free_mb, least_mb = usage.free // 2**20, settings.disk_min_free_mb
    said = f"{free_mb} MB free of {usage.total // 2**20}"
    if free_mb < least_mb:
        yield fault("disk", f"{said}, under disk_min_free_mb={least_mb}: frames get 507", "make room, or set keep_days")
    elif 0 < settings.disk_keep_free_mb <= least_mb:
        remedy = "set disk_keep_free_mb above disk_min_free_mb"
        yield warning("disk", f"{said}; room is made only after frames are refused", remedy)
    elif free_mb < 2 * max(least_mb, settings.disk_keep_free_mb):
        yield warning("disk", f"{said}, near the watermark of {least_mb} MB", "make room, or set keep_days")
    else:
        yield ok("disk", said)
    inodes = os.statvfs(root)
    if inodes.f_files > 0 and inodes.f_favail < 10_000:
        yield warning("disk", f"{inodes.f_favail} files can still be made", "delete files, or use another file system")


def check_clock(settings: Settings) -> Iterator[Finding]:
    now = datetime.now(UTC)
    if now < _BUILT:
        yield fault("clock", f"it says {now:%Y-%m-%d}", "set it, and keep it right by NTP: results are ordered by it")
        return
    newest = max((path.stat().st_mtime for path in _written(settings)), default=0.0)
    if newest > time.time() + _FUTURE_S:
        ahead = datetime.fromtimestamp(newest, UTC)
        yield warning("clock", f"the home was written at {ahead:%Y-%m-%d %H:%M} UTC, which is yet to come", "check NTP")
    synchronised = _by_ntp()
    if synchronised is False:
        yield warning("clock", "it is not kept right by NTP", "timedatectl set-ntp true, or a time server of the plant")
    else:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC" + (", by NTP" if synchronised else ""))


def _foreign(root: Path) -> Iterator[Finding]:
    """Files of another user, which a service that was once started as root leaves behind."""
    mine = os.geteuid()
    if mine == 0 and root.stat().st_uid != 0:
        remedy = "run it as the home's owner, else files of root are left behind"
        yield warning("permissions", f"this is root, {root} belongs to user {root.stat().st_uid}", remedy)
    others = [path for path in sorted(root.iterdir()) if mine != 0 and path.stat().st_uid != mine]
    if others:
        yield fault("permissions", f"{others[0]} belongs to another user", f"chown -R {_user()} {root}")


def _readable_by_all(settings: Settings) -> Iterator[Finding]:
    places = [settings.paths.database, settings.paths.root]
    open_ones = [path for path in places if path.exists() and path.stat().st_mode & stat.S_IROTH]
    if settings.paths.root in open_ones and len(open_ones) == len(places):
        remedy = f"chmod o-rwx {settings.paths.root}"
        yield warning("permissions", f"every user of this machine can read {open_ones[0]}", remedy)
    else:
        yield ok("permissions", "the home is its owner's")


def _written(settings: Settings) -> list[Path]:
    paths = settings.paths
    named = [paths.database, paths.database.with_name(f"{paths.database.name}-wal"), paths.audit_anchors]
    return [path for path in named if path.exists()]


def _by_ntp() -> bool | None:
    """None where nobody can say."""
    if shutil.which("timedatectl") is None:
        return None
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(said)


def _user() -> str:
    return str(os.geteuid())
