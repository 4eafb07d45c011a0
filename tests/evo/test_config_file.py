from __future__ import annotations

import pytest

from atoll.evo.config import all_settings, island_config
from atoll.evo.config_file import read_config_file
from atoll.evo.errors import ConfigError

SETTINGS = all_settings()


def make(**values):
    return island_config("island-01", values, {})


def read(tmp_path, text, island="island-01"):
    path = tmp_path / "atoll.toml"
    path.write_text(text, encoding="utf-8")
    return read_config_file(path, island)


def test_an_island_overrides_the_defaults_and_leaves_the_others_alone(tmp_path):
    text = """
        [defaults]
        population = 100
        crossover = "blend"
        options = {courses = 2, life_s = 1.5, flag = true}
        [island-01]
        population = 30
        options = {courses = 4}
        [island-02]
        population = 40
    """
    mine, options = read(tmp_path, text)
    assert mine == {"population": 30, "crossover": "blend"}
    assert options == {"courses": "4", "life_s": "1.5", "flag": "true"}
    assert read(tmp_path, text, "island-02")[0]["population"] == 40
    assert read(tmp_path, text, "island-99")[0]["population"] == 100
    flags = {"population": 20}
    assert make(**{**mine, **flags}).settings()["population"] == 20


def test_every_setting_can_stand_in_a_file(tmp_path):
    def written(value):
        return f'"{value}"' if isinstance(value, str) else str(value)

    lines = [f"{name} = {written(field.default)}" for name, field in SETTINGS.items()]
    values, _ = read(tmp_path, "\n".join(["[defaults]", *lines]))
    assert make(**values) == make()


@pytest.mark.parametrize("section", ["defaults", "island-01"])
def test_an_unknown_key_names_its_section_and_a_neighbour(tmp_path, section):
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, f"[{section}]\npopulaton = 3")
    text = str(refusal.value)
    assert f"[{section}]" in text
    assert "did you mean 'population'" in text
    assert all(known in text for known in (*SETTINGS, "options"))


def test_a_misspelt_table_of_options_is_named_as_one(tmp_path):
    with pytest.raises(ConfigError, match="unknown setting 'option', did you mean 'options'"):
        read(tmp_path, "[defaults.option]\ndimensions = 3")


@pytest.mark.parametrize("section", ["default", "Defaults", "DEFAULT"])
def test_a_misspelt_section_of_all_is_no_islands_own(tmp_path, section):
    with pytest.raises(ConfigError, match=rf"\[{section}\] is no section, did you mean \[defaults\]"):
        read(tmp_path, f"[{section}]\npopulation = 3")


@pytest.mark.parametrize(
    "text",
    [
        "population = 3",
        "[defaults",
        "[defaults]\npopulation = 3\npopulation = 4",
        "[[defaults]]",
        "[defaults]\noptions = 3",
        "[defaults.options]\na = [1]",
        '["../up"]\npopulation = 3',
        "[locks]",
    ],
)
def test_what_is_not_a_table_of_settings_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        read(tmp_path, text)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        read_config_file(tmp_path / "none.toml", "island-01")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        read_config_file(tmp_path / "bytes.toml", "island-01")


def test_a_slip_in_another_islands_section_is_found_by_the_first_that_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"\[island-07\] has an unknown setting 'populaton'"):
        read(tmp_path, "[island-07]\npopulaton = 3\n")


def test_an_island_cannot_be_called_like_the_section_of_all(tmp_path):
    with pytest.raises(ConfigError, match="cannot be called 'defaults'"):
        read(tmp_path, "[defaults]\npopulation = 3\n", island="defaults")


@pytest.mark.parametrize("task", ["evil.py:T", "gym:evil:Env-v0"])
def test_a_file_in_the_shared_directory_names_no_program(tmp_path, task):
    """Others may write there, and must not decide which code runs here."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "link").symlink_to(shared)
    for place in (shared, tmp_path):
        (place / "islands.toml").write_text(f'[a]\ntask = "{task}"\n[b]\ntask = "sphere"\n')
    for way in (shared, tmp_path / "link"):
        with pytest.raises(ConfigError, match=f"take it out of there and say --task {task}"):
            read_config_file(way / "islands.toml", "a", shared=shared)
        assert read_config_file(way / "islands.toml", "b", shared=shared)[0] == {"task": "sphere"}
    assert read_config_file(tmp_path / "islands.toml", "a", shared=shared)[0] == {"task": task}


@pytest.mark.parametrize(
    "options",
    ['"make.g" = 5.5\n"make.on" = true', "make.g = 5.5\nmake.on = true", "make = {g = 5.5, on = true}"],
)
def test_an_option_with_a_dot_may_be_quoted_or_not(tmp_path, options):
    """Without quotes it is a table within the table to TOML."""
    found = read(tmp_path, f"[defaults.options]\nhidden = 4\n{options}\n")[1]
    assert found == {"hidden": "4", "make.g": "5.5", "make.on": "true"}


TEXT = "[defaults]\npopulation = 30\n"


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_however_an_editor_saved_it_as_utf_8(tmp_path, coding, end):
    path = tmp_path / "atoll.toml"
    path.write_bytes(TEXT.replace("\n", end).encode(coding))
    assert read_config_file(path, "island-01")[0] == {"population": 30}


@pytest.mark.parametrize(("coding", "name"), [("utf-16", "UTF-16"), ("utf-16-be", "UTF-16"), ("latin-1", "another")])
def test_a_file_in_another_encoding_is_refused_in_a_line_that_says_how_to_save_it(tmp_path, coding, name):
    path = tmp_path / "atoll.toml"
    mark = "\ufeff" if coding == "utf-16-be" else ""
    path.write_bytes(f"{mark}{TEXT}# ü\n".encode(coding))
    with pytest.raises(ConfigError, match=f"it is in {name}.*; save it as UTF-8"):
        read_config_file(path, "island-01")
