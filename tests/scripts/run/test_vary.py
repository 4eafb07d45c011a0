from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from atoll.evo.config import island_config, read_config_file
from atoll.scripts.run.vary import as_toml, main, vary

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


@pytest.mark.parametrize(
    "text",
    [
        "[a]\nmutation_rate = 0.5",
        "# mine\r\n[defaults]\r\nthreads = 1\r\n[a.options]\r\ncourses = 2\r\n",
        "\ufeff[a]\nmutation_rate = 0.5\n",
    ],
)
def test_islands_that_are_new_get_sections_and_the_others_keep_theirs_byte_for_byte(tmp_path: Path, text: str) -> None:
    path = tmp_path / "islands.toml"
    path.write_bytes(text.encode())
    ended = CliRunner().invoke(main, ["a", "b", "c", "--seed", "3", "--out", str(path)])
    assert ended.output == f"added b, c to {path}\n"
    assert path.read_bytes().startswith(text.encode())
    defaults = {"threads": 1} if "threads" in text else {}
    for name in ("b", "c"):
        assert read_config_file(path, name)[0] == defaults | vary(name, seed=3)
    former = tmp_path / "former.toml"
    former.write_bytes(text.encode())
    assert read_config_file(path, "a") == read_config_file(former, "a")


def test_a_file_that_is_no_toml_is_left_as_it_is_and_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "islands.toml"
    path.write_text("[a\n")
    ended = CliRunner().invoke(main, ["b", "--out", str(path)])
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"error: cannot add islands to {path}: ")
    assert len(ended.stderr.splitlines()) == 1
    assert path.read_text() == "[a\n"
