"""Which targets are refused at the start, and which addresses are never called."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from trialsight_serving.outbox.guarded import Refused, check
from trialsight_serving.settings import Settings

Webhook = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("host", "address", "refused"),
    [
        ("mes.factory", "10.1.2.3", False),
        ("mes.factory", "192.168.1.9", False),
        ("mes.factory", "fd00::9", False),
        ("example.com", "93.184.216.34", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", "::1", False),
        ("rebound.example", "127.0.0.1", True),
        ("rebound.example", "::ffff:127.0.0.1", True),
        ("cloud", "169.254.169.254", True),
        ("cloud", "::ffff:169.254.169.254", True),
        ("cloud", "fe80::1%eth0", True),
        ("any", "0.0.0.0", True),
        ("all", "224.0.0.1", True),
    ],
)
def test_which_addresses_are_called(host: str, address: str, refused: bool) -> None:
    if refused:
        with pytest.raises(Refused):
            check(host, address)
    else:
        check(host, address)


BAD_TARGETS = {
    "no secret": {"url": "http://a/", "secret": None},
    "a short secret": {"url": "http://a/", "secret": "whsec_YWJj"},
    "a secret that is no base64": {"url": "http://a/", "secret": "whsec_?"},
    "a secret file that is not there": {"url": "http://a/", "secret": None, "secret_file": "/nowhere/secret"},
    "another scheme": {"url": "ftp://a/"},
    "a password in the URL": {"url": "http://me:you@a/"},
    "a wildcard in the topic": {"kind": "mqtt", "name": "x", "url": "mqtt://a", "topic": "a/#"},
    "an unknown field in the topic": {"kind": "mqtt", "name": "x", "url": "mqtt://a", "topic": "{shift}"},
    "no host": {"kind": "mqtt", "name": "x", "url": "mqtt:"},
}


@pytest.mark.parametrize("changes", BAD_TARGETS.values(), ids=BAD_TARGETS.keys())
def test_a_target_that_cannot_work_is_refused_at_the_start(webhook: Webhook, changes: dict[str, Any]) -> None:
    target = changes if "kind" in changes else webhook(**changes)
    with pytest.raises(ValidationError) as refused:
        Settings(outbox=[target])
    for secret in (webhook("http://a/")["secret"], "YWJj", "me:you"):
        assert secret not in str(refused.value)


def test_two_targets_of_one_name_are_refused(webhook: Webhook) -> None:
    with pytest.raises(ValidationError, match="two targets are called mes"):
        Settings(outbox=[webhook("http://a/"), webhook("http://b/")])
