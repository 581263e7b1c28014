"""Where a page of a list goes on."""

from trialsight_serving.problems import Problem


def cursor(text: str | None) -> int | None:
    """The number that a page's `next` gave. Raises Problem 422 for anything else."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Problem(422, "request-invalid", "The request is not valid", "after: not a cursor of this list")
    return int(text)
