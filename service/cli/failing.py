"""How a command says that it cannot do what was asked."""

from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape


def fail(message: str, remedy: str) -> NoReturn:
    """Say what is wrong and what to do on stderr; exit with status 1."""
    Console(stderr=True).print(f"{escape(message)}\n  -> {escape(remedy)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
