"""Settings from a TOML file: `[defaults]` for all islands, `[<island>]` for one, `options` for the task's."""

from __future__ import annotations

import codecs
import tomllib
from typing import TYPE_CHECKING, Any

from atoll.evo.config import Value, all_settings, runs_code, suggest
from atoll.evo.errors import ConfigError
from atoll.evo.paths import check_island_name

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = "defaults"
OPTIONS = "options"
MISSPELT = ("default", "defaults")
"""In any case; as a name of an island's own section it would be read by nobody, without a word."""

Section = tuple[dict[str, Value], dict[str, str]]
"""Settings, and options of the task."""


def read_config_file(path: Path, island: str, *, shared: Path | None = None) -> Section:
    """Read what a file sets for one island: `[defaults]`, overridden by `[<island>]`.

    Every section is checked, the other islands' too, so that a slip is found by the first island that starts.

    Args:
        path: The file.
        island: Whose settings are wanted.
        shared: The shared directory: a file in it may not name code to run, since others may write there.

    Raises:
        ConfigError: The file cannot be read or parsed, or holds anything but known names in tables.
    """
    if island == DEFAULTS:
        raise ConfigError(f"an island that reads {path} cannot be called {DEFAULTS!r}, as a section of it is")
    sections = {name: _section(path, name, table) for name, table in _document(path).items()}
    values: dict[str, Value] = {}
    options: dict[str, str] = {}
    for name in (DEFAULTS, island):
        own_values, own_options = sections.get(name, ({}, {}))
        values |= own_values
        options |= own_options
    task = str(values.get("task", ""))
    if runs_code(task) and shared and path.resolve().is_relative_to(shared.resolve()):
        raise ConfigError(
            f"{path} lies where others may write, and names a program: task {task!r}; if you trust it, take it out of "
            f"there and say --task {task}"
        )
    return values, options


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text_of(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the config file {path}: {error}") from error


def text_of(data: bytes) -> str:
    """Return the text that a user's editor saved, with the mark that some of them put first or without.

    Raises:
        ValueError: It is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        coding = "UTF-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "another encoding"
        raise ValueError(f"it is in {coding}; save it as UTF-8 ({error})") from error


def _section(path: Path, name: str, table: object) -> Section:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name!r} stands outside a section; put it under [{DEFAULTS}] or [<island>]")
    if name != DEFAULTS:
        check_island_name(name)
        if name.lower() in MISSPELT:
            raise ConfigError(f"{path}: [{name}] is no section, did you mean [{DEFAULTS}]?")
    settings = {key: value for key, value in table.items() if key != OPTIONS}
    known = all_settings()
    for key in settings:
        if key not in known:
            raise ConfigError(
                f"{path}: [{name}] has an unknown setting {key!r}{suggest(key, [*known, OPTIONS])}; "
                f"known are {', '.join(known)}, and a table {OPTIONS!r}"
            )
    return settings, _options(path, name, table.get(OPTIONS, {}))


def _options(path: Path, name: str, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: [{name}.{OPTIONS}] must be a table of plain values")
    options: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, list):
            raise ConfigError(f"{path}: [{name}.{OPTIONS}] must be a table of plain values, and {key} is a list")
        if isinstance(value, dict):  # make.gravity = -5 in TOML is a table within the table
            options |= {f"{key}.{inner}": text for inner, text in _options(path, name, value).items()}
        else:
            options[key] = _text(value)
    return options


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
