"""Keys that were good a moment ago."""

from trialsight_serving.access.known import FRESH_S, KnownKeys
from trialsight_serving.access.principal import Principal, Role

WHO = Principal("default", "line 1", Role.CAMERA, None)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_known_for_a_moment_and_no_longer() -> None:
    clock = Clock()
    known = KnownKeys(clock)
    assert known.find("ts_a") is None
    known.remember("ts_a", WHO, asked=clock.now)
    assert known.find("ts_a") == WHO
    assert known.find("ts_b") is None
    clock.now += FRESH_S
    assert known.find("ts_a") is None


def test_a_change_of_keys_is_not_undone_by_an_answer_from_before_it() -> None:
    clock = Clock()
    known = KnownKeys(clock)
    known.remember("ts_a", WHO, asked=clock.now)
    asked = clock.now
    clock.now += 0.1
    known.forget()
    known.remember("ts_a", WHO, asked)
    assert known.find("ts_a") is None
    clock.now += 0.1
    known.remember("ts_a", WHO, asked=clock.now)
    assert known.find("ts_a") == WHO
