from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from evo.config import island_config
from evo.config_file import read_config_file
from scripts.vary import as_toml, main, vary

if TYPE_CHECKING:
    from pathlib import Path


def test_settings_are_a_pure_function_of_name_and_seed() -> None:
    assert vary("a", seed=1) == vary("a", seed=1)
    assert vary("a", seed=1) != vary("b", seed=1)
    assert vary("a", seed=1) != vary("a", seed=2)


def test_the_file_gives_each_island_what_was_drawn_for_it(tmp_path: Path) -> None:
    names = [f"island-{i:02}" for i in range(1, 9)]
    (tmp_path / "islands.toml").write_text(as_toml({name: vary(name, seed=1) for name in names}))
    for name in names:
        values, options = read_config_file(tmp_path / "islands.toml", name)
        assert values == vary(name, seed=1)
        island_config(name, values, options)


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "islands.toml"
    first = CliRunner().invoke(main, ["a", "--out", str(path)])
    kept = path.read_bytes()
    second = CliRunner().invoke(main, ["a", "--seed", "2", "--out", str(path)])
    assert (first.output, second.output) == (f"wrote {path}\n", f"kept {path}\n")
    assert path.read_bytes() == kept
