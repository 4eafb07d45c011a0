"""The options that several commands share, a flag for every setting, and the choice between text and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atoll.evo import atomic, settings
from atoll.evo.config import all_settings
from atoll.evo.errors import StorageError
from atoll.evo.installation import as_typed
from atoll.evo.paths import SharedPaths

if TYPE_CHECKING:
    import dataclasses
    from collections.abc import Callable, Iterable

SHORT_FLAGS = {"population": "-p", "generations": "-g"}

Command = Any


class Directory(click.Path):
    """A directory, and not what a shell makes of a variable that is not set: an empty name, or the next flag.

    To `Path` an empty name is the working directory, and to Click a flag is a name as others are.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("it is empty, as a variable that is not set is; '.' is the working directory", param, ctx)
        if str(value).startswith("-"):
            self.fail(f"expected a directory, got the flag {value}; './{value}' is one of that name", param, ctx)
        return super().convert(value, param, ctx)


class NumberOrWord(click.types.FloatParamType):
    """A number, or the one word that may stand in its place."""

    def __init__(self, word: str) -> None:
        self.name = f"float or {word}"
        self._word = word

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - Click's signature
        """Return what the help shows in the place of a value."""
        return f"FLOAT|{self._word}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or the word."""
        return value if value == self._word else super().convert(value, param, ctx)


class OutputFile(click.Path):
    """A file to be written, which is tried before the work is done.

    Raises:
        StorageError: It cannot be written.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        out: Any = super().convert(value, param, ctx)
        if param is None or ctx is None or ctx.resilient_parsing:  # a line is completed, not run
            return out
        try:
            atomic.check_writable(out)
        except OSError as error:
            why = f"{error.strerror or error}; name another place with {param.opts[0]}"
            raise StorageError(f"cannot write {out}: {why}") from error
        return out


def json_option(command: Command) -> Command:
    """Add the option of every command that tells something."""
    return click.option("--json", "is_json", is_flag=True, help="Print JSON instead of text.")(command)


def emit(value: object, text: str, *, as_json: bool) -> None:
    """Print what a command tells, as one line of JSON or as text that names the program as it was typed."""
    click.echo(json.dumps(value) if as_json else as_typed(text))


def directory_option(*flags: str) -> Callable[[Command], Command]:
    """Return the option of the directory that the islands share, by these flags."""
    text = "The directory that the islands share."
    return click.option(*flags, "root", type=Directory(), default=Path("shared"), show_default=True, help=text)


def shared_options(command: Command) -> Command:
    """Add the two options that mean the same everywhere."""
    return directory_option("--migration-dir")(json_option(command))


def shared_paths(root: Path) -> SharedPaths:
    """Return the files of a shared directory.

    Raises:
        StorageError: There is no such directory, or it cannot be read.
    """
    from atoll.migration.pool.identity import check_directory

    shared = SharedPaths(root)
    check_directory(shared)
    return shared


def foreign_option(command: Command) -> Command:
    """Add the option of every command that writes into a pool."""
    return click.option(
        "--foreign-pool", "is_foreign_allowed", is_flag=True, help="Use a pool that belongs to another account."
    )(command)


def setting_options(command: Command) -> Command:
    """Add a flag for every setting of an island; without the flag, the config file or the default decides."""
    for field in reversed(all_settings().values()):
        flags = [settings.flag_name(field.name), *filter(None, [SHORT_FLAGS.get(field.name)])]
        meaning = field.metadata["help"]
        default = settings.default_text(field)
        text = f"{meaning[0].upper()}{meaning[1:]}." + (f" [default: {default}]" if default else "")
        command = click.option(*flags, field.name, type=_option_type(field), default=None, help=text)(command)
    return command


def _option_type(field: dataclasses.Field[Any]) -> Any:
    """Return what Click makes of a setting's text."""
    if field.metadata["choices"]:
        return click.Choice(field.metadata["choices"])
    return NumberOrWord(field.metadata["word"]) if field.metadata["word"] else settings.value_type(field)


def pairs(options: Iterable[str]) -> dict[str, str]:
    """Return what `-o NAME=VALUE` gives, by name.

    Raises:
        UsageError: There is no `=`.
    """
    for text in options:
        if "=" not in text:
            raise click.UsageError(f"-o takes NAME=VALUE, for example -o courses=1; got {text!r}")
    return dict(text.split("=", 1) for text in options)
