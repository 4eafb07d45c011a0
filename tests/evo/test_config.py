"""A setting is documented, has a range, and is refused by name when it is wrong."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.evo import strict_json
from atoll.evo.config import (
    OWN_SETTINGS,
    Breeding,
    IslandConfig,
    Migration,
    Strategy,
    all_own_settings,
    all_settings,
    as_started,
    is_user_file,
    island_config,
    read_config_file,
    runs_code,
)
from atoll.evo.errors import ConfigError
from atoll.evo.settings import check, flag_name, former, setting_fields, value_type

SETTINGS = all_settings()
NUMBERS = [name for name, field in SETTINGS.items() if value_type(field) in {int, float}]
FLOATS = [name for name, field in SETTINGS.items() if value_type(field) is float]
CHOICES = [name for name, field in SETTINGS.items() if field.metadata["choices"]]


def make(**values):
    """Make a config, of the first algorithm that has the settings given."""
    own = {*values} & all_own_settings()
    algorithm = next(each for each, names in OWN_SETTINGS.items() if own <= {*names})
    return island_config("island-01", {"algorithm": algorithm, **values}, {})


def bound(name, side):
    """Return a bound of a setting, as the type that the setting has."""
    return value_type(SETTINGS[name])(SETTINGS[name].metadata[side])


@pytest.mark.parametrize("kind", [IslandConfig, Migration, Breeding, Strategy])
def test_every_field_is_documented_or_a_part(kind):
    named = {field.name for field in setting_fields(kind)}
    rest = {field.name for field in dataclasses.fields(kind)} - named
    assert rest <= {"island", "options", "breeding", "strategy", "migration"}
    assert all(len(field.metadata["help"]) > 5 for field in setting_fields(kind))


def test_no_two_parts_share_a_name():
    parts = [field.name for kind in (IslandConfig, Migration, Breeding, Strategy) for field in setting_fields(kind)]
    assert sorted(parts) == sorted(SETTINGS)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_a_lowest_value_that_is_allowed_and_nothing_below_it(name):
    low = bound(name, "low")
    others = {"migrants": 1} if name == "population" else {}
    others |= {} if name in all_own_settings() - {*OWN_SETTINGS["ga"]} else {"selection": "rank"}
    assert make(**{**others, name: low}).settings().get(name, former(SETTINGS[name])) == low
    with pytest.raises(ConfigError, match=f"{flag_name(name)} must be at least"):
        make(**{name: low - 1})


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_a_highest_value_that_is_allowed_and_nothing_above_it(name):
    high = bound(name, "high")
    others = {"population": 1_000_000} if name == "tournament_size" else {}
    assert make(**{**others, name: high}).settings()[name] == high
    with pytest.raises(ConfigError, match=f"{flag_name(name)} must be at most"):
        make(**{name: high + 1})


@pytest.mark.parametrize("name", NUMBERS)
def test_whatever_is_allowed_can_be_read_back_from_a_checkpoint(name):
    allowed = [SETTINGS[name].metadata["low"], SETTINGS[name].metadata["high"]]
    assert strict_json.parse(strict_json.encode(allowed)) == allowed


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300])
def test_no_number_is_endless(name, value):
    with pytest.raises(ConfigError, match=flag_name(name)):
        make(**{name: value})


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_takes_what_it_lists_and_suggests_it(name):
    for choice in SETTINGS[name].metadata["choices"]:
        others = {"lockstep": {"members": "island-01"}, "replay": {"replay_from": "folder"}}.get(choice, {})
        assert make(**{name: choice}, **others).settings()[name] == choice
    with pytest.raises(ConfigError, match=f"{flag_name(name)} must be one of .*did you mean '{choice}'"):
        make(**{name: choice + "x"})


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("value", [None, True, [], {}, b"1", "\n"])
def test_another_type_is_refused_by_name(name, value):
    if value == "\n" and value_type(SETTINGS[name]) is str and not SETTINGS[name].metadata["choices"]:
        value = 3
    with pytest.raises(ConfigError, match=flag_name(name)):
        make(**{name: value})


@pytest.mark.parametrize("name", [name for name in NUMBERS if SETTINGS[name].metadata["word"]])
def test_one_word_may_stand_in_the_place_of_some_numbers(name, tmp_path):
    word = SETTINGS[name].metadata["word"]
    values, _ = read(tmp_path, f'[defaults]\n{name} = "{word}"')
    assert make(**values).settings()[name] == word
    with pytest.raises(ConfigError, match=f"{flag_name(name)} must be a number or {word}, got 'other'"):
        make(**{name: "other"})


@pytest.mark.parametrize("name", [name for name in NUMBERS if name not in FLOATS])
def test_a_whole_number_is_whole(name):
    with pytest.raises(ConfigError, match="whole number"):
        make(**{name: 3.0})


@pytest.mark.parametrize("algorithm", OWN_SETTINGS)
def test_what_is_recorded_are_the_settings_of_the_algorithm_that_are_not_what_was_before_they_could_be_set(algorithm):
    foreign = all_own_settings() - {*OWN_SETTINGS[algorithm]}
    values = {name: field.default for name, field in SETTINGS.items() if name not in foreign}
    values["algorithm"] = algorithm
    expected = {name: value for name, value in values.items() if value != SETTINGS[name].metadata["former"]}
    assert make(algorithm=algorithm).settings() == expected


EARLIER = {"population": 100, "mutation_scale": 0.25, "replacement": "random"}


@pytest.mark.parametrize("name", EARLIER)
def test_an_island_goes_on_with_the_default_it_was_started_with(monkeypatch, name):
    field, earlier = SETTINGS[name], EARLIER[name]
    recorded = make(**{name: earlier}).settings()
    assert as_started(make(), recorded) == make()
    monkeypatch.setattr(field, "metadata", {**field.metadata, "changed_from": earlier})
    assert as_started(make(migrants=7), recorded) == make(migrants=7, **{name: earlier})
    unrecorded = {other: value for other, value in recorded.items() if other != name}
    assert as_started(make(), unrecorded) == make(**{name: earlier}), "what an older version did not record"
    assert as_started(make(), make().settings()) == make(), "one started with the default of now"
    said = make(**{name: field.metadata["choices"][-1] if field.metadata["choices"] else 9})
    assert as_started(said, recorded) == said, "what the user says is never changed"


def test_a_setting_of_another_algorithm_is_refused_with_what_this_one_has():
    with pytest.raises(ConfigError, match=r"--sigma is a setting of snes.*; --algorithm ga has --selection, --tour"):
        make(algorithm="ga", sigma=0.1)
    with pytest.raises(ConfigError, match=r"--mutation-rate is a setting of ga; --algorithm snes has --sigma"):
        make(algorithm="snes", mutation_rate=0.1)
    with pytest.raises(ConfigError, match=r"--sigma is a setting of snes.*; --algorithm a.py:A has none of its own"):
        make(algorithm="a.py:A", sigma=0.1)


def test_an_unknown_algorithm_names_those_that_are_known():
    with pytest.raises(
        ConfigError, match=r"--algorithm must be auto, one of ga, snes.*; got 'sness', did you mean 'snes'"
    ):
        make(algorithm="sness")


@given(st.sampled_from(sorted(SETTINGS)), st.integers(0, 20))
def test_a_misspelt_setting_lists_the_known_ones_and_suggests(name, place):
    typo = name[: place % len(name)] + "q" + name[place % len(name) :]
    with pytest.raises(ConfigError) as refusal:
        make(**{typo: 1})
    assert repr(typo) in str(refusal.value)
    assert all(known in str(refusal.value) for known in SETTINGS)
    assert "did you mean" in str(refusal.value)


@pytest.mark.parametrize("topology", ["full", "ring", "two-way-ring", "star", "none", "random-1", "random-9999"])
def test_is_a_topology(topology):
    assert make(topology=topology).migration.is_off == (topology == "none")


@pytest.mark.parametrize("topology", ["", "Full", "random", "random-0", "random-01", "random-10000", "ring\n", "stars"])
def test_is_no_topology(topology):
    with pytest.raises(ConfigError, match="--topology"):
        make(topology=topology)


@pytest.mark.parametrize("keep", [1, 2])
def test_too_few_kept_generations_are_refused(keep):
    with pytest.raises(ConfigError, match="at least 3"):
        make(keep_generations=keep)


def lockstep(**values):
    return make(**{"mode": "lockstep", "members": "island-02,island-01", **values})


def test_members_are_a_set():
    assert lockstep() == lockstep(members="island-01,island-02")
    assert lockstep().migration.members == "island-01,island-02"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"members": ""}, "--mode lockstep and --members go together"),
        ({"mode": "async"}, "--mode lockstep and --members go together; got --mode async"),
        ({"mode": "async", "members": "", "replay_from": "f"}, "--mode replay and --replay-from go together"),
        ({"mode": "replay", "members": ""}, "--mode replay and --replay-from go together"),
        ({"members": "island-02"}, "this one too; island-01 is not among island-02"),
        ({"members": "island-01,island-01"}, "different islands"),
        ({"members": "island-01,"}, "island name ''"),
        ({"members": "island-01, island-02"}, "island name ' island-02'"),
        ({"members": ",".join(["island-01", *(f"i{n}" for n in range(1024))])}, "at most 1024"),
        ({"topology": "none"}, "--mode lockstep and --topology none contradict"),
        ({"migration_interval": "adaptive"}, "--mode lockstep needs --migration-interval fixed"),
        ({"keep_generations": 3}, "--keep-generations must be 0 .* with --mode lockstep"),
        ({"lockstep_timeout_s": -1.0}, "--lockstep-timeout-s must be at least"),
        ({"algorithm": "cma"}, "--mode lockstep needs --restart-growth 1, .*; got 2.0"),
        ({"algorithm": "sep-cma", "restart_growth": 1.5}, "--mode lockstep needs --restart-growth 1, .*; got 1.5"),
    ],
)
def test_a_mode_that_cannot_work_is_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        lockstep(**values)


def test_restarts_that_keep_the_population_go_with_lockstep():
    assert lockstep(algorithm="cma", restart_growth=1.0).strategy.restart_growth == 1


def test_what_a_pool_must_agree_on_depends_on_the_mode():
    assert make().agreement() == {"mode": "async"}
    assert make(mode="replay", replay_from="f").agreement() == {"mode": "replay"}
    assert lockstep(migrate_every=7, generations=21, migrants=3).agreement() == {
        "mode": "lockstep",
        "members": "island-01,island-02",
        "migrate_every": 7,
        "generations": 21,
        "migrants": 3,
    }


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"population": 5, "migrants": 5}, "--migrants"),
        ({"population": 4, "migrants": 1, "algorithm": "ga"}, "--tournament-size"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values, flag):
    with pytest.raises(ConfigError, match=f"{flag} must be"):
        make(**values)


@pytest.mark.parametrize("name", ["", "..", "a/b", "locks", "a\n"])
def test_a_config_has_an_island_that_can_have_a_folder(name):
    with pytest.raises(ConfigError, match="island name"):
        island_config(name, {}, {})


@given(st.floats(0, 1), st.integers(2, 1000))
def test_elites_are_at_least_one_unless_off_and_leave_one_to_vary(share, population):
    n = Breeding(elite_share=share).n_elites(population)
    assert (1 if share > 0 else 0) <= n <= population - 1


@given(st.integers(1, 50), st.integers(0, 500))
def test_migration_is_due_at_the_multiples_never_at_the_founders(every, generation):
    due = Migration(migrate_every=every).is_due(generation)
    assert due == (generation in set(range(every, 501, every)))
    assert not Migration(migrate_every=every, topology="none").is_due(generation)


def test_a_config_cannot_be_changed():
    config = make()
    for part in (config, config.breeding, config.migration):
        with pytest.raises(dataclasses.FrozenInstanceError):
            part.seed = 3


def test_options_have_no_order():
    assert island_config("a", {}, {"x": "1", "b": "2"}) == island_config("a", {}, {"b": "2", "x": "1"})


def test_check_needs_no_particular_dataclass():
    @dataclasses.dataclass
    class Plain:
        anything: object = None

    check(Plain())


@pytest.mark.parametrize("name", ["x.py:T", "a/b.py:T", "../x.py:T", "/odd:dir/x.py:T", "x.py", ".py:T"])
def test_what_names_a_python_file_is_a_users_file(name):
    assert is_user_file(name)


@pytest.mark.parametrize("name", ["sphere", "gym:CartPole-v1", "gym:my_module:Env-v0", "x.pyc:T", "x:T.py2", ""])
def test_what_names_none_is_not(name):
    assert not is_user_file(name)


@pytest.mark.parametrize("task", ["x.py:T", "/mine/x.py", "gym:my_module:Env-v0"])
def test_a_file_or_a_module_is_code_to_run(task):
    assert runs_code(task)


@pytest.mark.parametrize("task", ["sphere", "gym:CartPole-v1", "creatures", ""])
def test_what_atoll_brings_is_not(task):
    assert not runs_code(task)


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

    for algorithm, own in OWN_SETTINGS.items():
        foreign = all_own_settings() - {*own}
        there = {
            name: field.default or field.metadata["low"] if field.metadata["is_open"] else field.default
            for name, field in SETTINGS.items()
            if name not in foreign
        }
        there |= {"population": 50}
        lines = [f"{name} = {written(value)}" for name, value in {**there, "algorithm": algorithm}.items()]
        values, _ = read(tmp_path, "\n".join(["[defaults]", *lines]))
        assert make(**values) == make(**{**there, "algorithm": algorithm})


@pytest.mark.parametrize("name", [name for name, field in SETTINGS.items() if field.metadata["is_open"]])
def test_what_is_open_is_left_out_and_never_given_as_nothing(name):
    with pytest.raises(ConfigError, match=f"{flag_name(name)} must be at least"):
        make(**{name: 0})


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


@pytest.mark.parametrize(
    ("name", "program"), [("task", "evil.py:T"), ("task", "gym:evil:Env-v0"), ("algorithm", "evil.py:A")]
)
def test_a_file_in_the_shared_directory_names_no_program(tmp_path, name, program):
    """Others may write there, and must not decide which code runs here."""
    shared, harmless = tmp_path / "shared", {"task": "sphere", "algorithm": "snes"}[name]
    shared.mkdir()
    (tmp_path / "link").symlink_to(shared)
    for place in (shared, tmp_path):
        (place / "islands.toml").write_text(f'[a]\n{name} = "{program}"\n[b]\n{name} = "{harmless}"\n')
    for way in (shared, tmp_path / "link"):
        with pytest.raises(ConfigError, match=f"take it out of there and say --{name} {program}"):
            read_config_file(way / "islands.toml", "a", shared=shared)
        assert read_config_file(way / "islands.toml", "b", shared=shared)[0] == {name: harmless}
    assert read_config_file(tmp_path / "islands.toml", "a", shared=shared)[0] == {name: program}


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
