"""Passwords, by argon2id with the parameters of RFC 9106's low-memory choice (argon2-cffi's default)."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from trialsight.errors import TrialsightError

SHORTEST, LONGEST = 10, 200  # the longest bounds the work that one request can ask for
_HASHER = PasswordHasher()


def hash_password(password: str, name: str) -> str:
    """Raises TrialsightError for one that is too short, too long, or the account's own name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise TrialsightError(
            f"the password has {len(password)} characters", f"choose one of {SHORTEST} to {LONGEST}; a sentence is fine"
        )
    if password.casefold() == name.casefold():
        raise TrialsightError("the password is the account's name", "choose another password")
    return _HASHER.hash(password)


def is_password(hashed: str | None, password: str) -> bool:
    """Takes the same time where there is no account, or none with a password, as where the password is wrong."""
    try:
        right = _HASHER.verify(hashed or _nobodys(), password[:LONGEST])
    except (Argon2Error, InvalidHashError):
        return False
    return right and hashed is not None


@cache
def _nobodys() -> str:
    return _HASHER.hash("nobody has this password")
