"""Lines on stderr that say what runs."""

import time

import typer


def say(text: str) -> None:
    typer.echo(f"{time.strftime('%H:%M:%S')} {text}", err=True)
