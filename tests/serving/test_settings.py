"""Defaults, then the file, then the environment; and the file in configs is one that the service reads."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from trialsight_serving.settings import Settings

DEFAULT = Path(__file__).parents[2] / "configs" / "service" / "default.yaml"


def test_the_committed_file_is_valid_and_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    monkeypatch.setenv("TRIALSIGHT_CONFIG", str(DEFAULT))
    assert Settings() == defaults


def test_the_environment_wins_over_the_file_and_an_option_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "service.yaml"
    file.write_text("port: 9000\nqueue_limit: 7\nworkers: 3\n")
    monkeypatch.setenv("TRIALSIGHT_CONFIG", str(file))
    monkeypatch.setenv("TRIALSIGHT_QUEUE_LIMIT", "8")
    settings = Settings(workers=5)
    assert (settings.port, settings.queue_limit, settings.workers) == (9000, 8, 5)


BAD = {"port": "-1", "workers": "0", "poll_s": "never", "queue_limit": "0"}


@pytest.mark.parametrize(("name", "value"), BAD.items())
def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TRIALSIGHT_{name.upper()}", value)
    with pytest.raises(ValidationError, match=name):
        Settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_can_be_open(host: str) -> None:
    assert Settings(host=host, open=True).open


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "", "::", "127.0.0.1.evil.example"])
def test_nothing_else_can(host: str) -> None:
    with pytest.raises(ValidationError, match="can be reached from other machines"):
        Settings(host=host, open=True)
