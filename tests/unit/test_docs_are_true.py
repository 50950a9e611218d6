"""What the documents tell a person to type exists: commands, options, make targets, files behind links."""

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import devices.__main__
import simulator.__main__
from service.cli.app import app

TOP = Path(__file__).parents[2]
PAGES = sorted(
    [TOP / "README.md", *(TOP / "docs").glob("*.md"), *(TOP / "service").rglob("*.md"), *(TOP / "simulator").rglob("*.md")]
)
_COMMAND = re.compile(r"^(?:\.venv/bin/)?(denchi(?:-sim|-station)?)\s+(.*)$")


def typed(page: Path) -> Iterator[str]:
    """Yield every command line in fenced blocks and every `denchi ...` in running text."""
    text = page.read_text()
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL):
        yield from (line.split("#")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`((?:\.venv/bin/)?denchi[^`\n]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands() -> list[tuple[str, str, str]]:
    return [
        (page.relative_to(TOP).as_posix(), match[1], match[2])
        for page in PAGES
        for line in typed(page)
        if (match := _COMMAND.match(line))
    ]


def _walk_typer(words: list[str]) -> tuple[set[str], list[str]]:
    """Return the options of the command that `words` lead to, and the words that are left."""
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    return {name for parameter in command.params for name in parameter.opts}, words if hasattr(command, "commands") else []


def _walk_argparse(parser: argparse.ArgumentParser, words: list[str]) -> argparse.ArgumentParser:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert words, "a subcommand is missing"
            return action.choices[words.pop(0)]
    return parser


@pytest.mark.parametrize(("page", "program", "rest"), commands())
def test_every_command_in_the_documents_exists_with_its_options(page: str, program: str, rest: str) -> None:
    words = shlex.split(re.sub(r"[\[\]|<>…]", " ", rest).replace("...", " "))
    options = {word.split("=")[0] for word in words if word.startswith("--")}
    words = [word for word in words if not word.startswith("-")]
    if program == "denchi":
        known, unknown = _walk_typer(words)
        assert not unknown, f"{page}: there is no command {unknown[0]}"
    else:
        parser = simulator.__main__.parser() if program == "denchi-sim" else devices.__main__.parser()
        known = {name for action in _walk_argparse(parser, words)._actions for name in action.option_strings}
    assert options <= known | {"--help"}, f"{page}: {sorted(options - known)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in target]
    assert not [target for target in targets if target and not (page.parent / target).exists()]


def test_every_make_target_in_the_documents_exists() -> None:
    made = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    asked = {match for page in PAGES for line in typed(page) for match in re.findall(r"^make ([a-z]+)", line)} | {
        match for page in PAGES for match in re.findall(r"`make ([a-z]+)", page.read_text())
    }
    assert asked
    assert asked <= made
