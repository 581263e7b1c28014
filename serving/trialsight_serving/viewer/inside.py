"""Addresses that a login may lead to."""


def inside(target: str) -> str:
    """Only a path of this site: a login must not send anyone elsewhere."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
