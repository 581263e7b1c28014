"""Templates to a page. Everything is escaped: names of parts and classes come from file names."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "share": _share, "words": _words}
    return environment.get_template(template).render(**context)


def _number(value: object) -> str:
    """A dash for None, four digits at most for what isn't whole."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _words(value: object) -> str:
    """Lists and objects as a person writes them."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    return ", ".join(map(_words, value)) if isinstance(value, list | tuple) else _number(value)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
