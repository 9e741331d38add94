"""Values of variables whose names say that they are secret are not stored, and are found again to resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bench.scenario.model import LoadedScenario, load_scenario
from bench.scenario.secret_names import secrets_in_words
from bench.scenario.secrets import NOT_SHOWN, is_secret, with_secrets, without_secrets
from bench.util.errors import CampaignError, ScenarioError
from tests.lab import SCENARIO, write_scenario

PLAIN = 'ENV A=1\nFROM scratch\nCMD ["/x"]\n'
FORMS = {
    "plain": "  env:\n    API_TOKEN: hush-hush\n    MODE: fast\n",
    "quoted": '  env:\n    MODE: fast\n    "API_TOKEN": "hush-\\u0068ush"  # of the stage\n',
    "one line": "  env: {MODE: fast, API_TOKEN: hush-hush}\n",
    "block": "  env:\n    API_TOKEN: |-\n      hush-hush\n    MODE: fast\n",
    "folded": "  env:\n    API_TOKEN: hush-hush\n      more-hush\n    MODE: fast\n",
    "alias": "  env: {MODE: fast, <<: &x {API_TOKEN: hush-hush}}\n",
    "said twice": "  env:\n    API_TOKEN: hush-hush\n    MODE: fast  # not hush-hush\n",
}


def scenario(directory: Path, env: str) -> LoadedScenario:
    file = write_scenario(directory, PLAIN, name="made")
    file.write_text(SCENARIO.format(name="made").replace("ready:", f"{env}ready:", 1), encoding="utf-8")
    return load_scenario(file)


@pytest.mark.parametrize(
    "name",
    ["TOKEN", "GITHUB_TOKEN", "PGPASSWORD", "aws_secret_access_key", "SECRET_KEY_BASE", "Credentials"],
)
def test_names_that_say_it(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["PATH", "MODE", "MAX_TOKENS", "KEYBOARD", "TOKENIZER", "KEYS", "POSTGRES_USER", ""])
def test_names_that_do_not(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_value_is_stored(form: str, tmp_path: Path) -> None:
    stored = without_secrets(scenario(tmp_path, FORMS[form]))
    assert stored.scenario.workload.env == {"API_TOKEN": NOT_SHOWN, "MODE": "fast"}
    assert "hush" not in stored.model_dump_json()
    assert yaml.safe_load(stored.text)["workload"]["env"] == {"API_TOKEN": NOT_SHOWN, "MODE": "fast"}


def test_the_rest_of_the_file_stays_as_it_is(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, FORMS["plain"])
    assert without_secrets(loaded).text == loaded.text.replace("hush-hush", f'"{NOT_SHOWN}"')
    harmless = scenario(tmp_path, "  env: {MODE: fast}\n")
    assert without_secrets(harmless) == harmless == with_secrets(harmless)


def test_build_arguments_are_variables_too(tmp_path: Path) -> None:
    file = write_scenario(tmp_path, PLAIN, name="made")
    file.write_text(SCENARIO.format(name="made").replace("none}", "none, args: {NPM_TOKEN: hush, V: '2'}}"))
    stored = without_secrets(load_scenario(file))
    assert stored.scenario.workload.build.args == {"NPM_TOKEN": NOT_SHOWN, "V": "2"}
    assert "hush" not in stored.model_dump_json()
    assert with_secrets(stored).scenario == load_scenario(file).scenario


@example("0000 \n\U00010000\U00010000\U00010000\U00010000\U00010000\U000100000")
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), min_size=3).filter(str.strip))
def test_no_value_is_stored(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    data = yaml.safe_load(SCENARIO.format(name="made"))
    data["workload"]["env"] = {"A_KEY": f"q9z{value}", "B": "kept"}
    file = write_scenario(tmp_path_factory.mktemp("made"), PLAIN, name="made")
    file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    loaded = load_scenario(file)
    stored = without_secrets(loaded)
    assert "q9z" not in stored.model_dump_json()
    assert yaml.safe_load(stored.text)["workload"]["env"] == {"A_KEY": NOT_SHOWN, "B": "kept"}
    assert with_secrets(stored).scenario == loaded.scenario


def test_a_file_with_another_workload_does_not_give_them_back(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, FORMS["plain"])
    stored = without_secrets(loaded)
    assert with_secrets(stored).scenario == loaded.scenario
    (tmp_path / "broken.yaml").write_text("a: [", encoding="utf-8")
    (tmp_path / "another.toml").write_text("question = 1", encoding="utf-8")
    assert with_secrets(stored).scenario == loaded.scenario
    scenario(tmp_path, FORMS["plain"].replace("fast", "slow"))
    with pytest.raises(CampaignError, match=r"'made' has secret values that are not stored \(API_TOKEN\)"):
        with_secrets(stored)


def test_a_narrowed_scenario_finds_its_workload(tmp_path: Path) -> None:
    """`--blocks` and `-t` change the scenario that is stored, and not its workload."""
    loaded = scenario(tmp_path, FORMS["plain"])
    other = loaded.scenario.model_copy(update={"question": "Another?"})
    stored = without_secrets(loaded.model_copy(update={"scenario": other}))
    assert with_secrets(stored).scenario == other
    assert json.loads(stored.scenario.model_dump_json())["question"] == "Another?"


def test_files_with_the_same_workload_and_other_values_are_not_confused(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, FORMS["plain"])
    stored = without_secrets(loaded)
    text = (loaded.file or tmp_path).read_text(encoding="utf-8")
    (tmp_path / "a-copy.yaml").write_text(text, encoding="utf-8")
    assert with_secrets(stored).scenario == loaded.scenario
    (tmp_path / "a-staging.yaml").write_text(text.replace("hush-hush", "other"), encoding="utf-8")
    with pytest.raises(CampaignError, match=r"with different values: .*a-copy\.yaml, .*a-staging\.yaml"):
        with_secrets(stored)


def test_a_value_that_was_not_stored_is_never_run(tmp_path: Path) -> None:
    """A stored scenario that is written to a file lacks it."""
    stored = without_secrets(scenario(tmp_path, FORMS["plain"]))
    (tmp_path / "kept.yaml").write_text(stored.text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"workload\.env\.API_TOKEN: its value is secret and was not stored"):
        load_scenario(tmp_path / "kept.yaml")


def test_other_workloads_of_the_directory_have_values_too(tmp_path: Path) -> None:
    loaded = scenario(tmp_path, FORMS["plain"])
    stored = without_secrets(loaded)
    assert loaded.file is not None
    loaded.file.unlink()
    assert with_secrets(stored, lambda _: {"web": loaded.scenario.workload}).scenario == loaded.scenario
    other = loaded.scenario.workload.model_copy(update={"env": {"API_TOKEN": "x", "MODE": "fast"}})
    with pytest.raises(CampaignError, match="these files have its workload with different values: a, b"):
        with_secrets(stored, lambda _: {"a": loaded.scenario.workload, "b": other})


INTERPOLATED = """\
  env:
    DB_PASSWORD: hush-hush
    PIN_KEY: "1"
    DATABASE_URL: postgres://app:hush-hush@db/1
  command: [--requirepass, hush-hush]
  healthcheck: {test: [CMD, cli, -a, hush-hush]}
"""


def test_a_value_is_not_stored_where_it_stands_in_another_text(tmp_path: Path) -> None:
    """Compose files put one variable into commands, addresses and health checks."""
    loaded = scenario(tmp_path, INTERPOLATED)
    stored = without_secrets(loaded)
    assert "hush" not in stored.model_dump_json()
    workload = stored.scenario.workload
    assert workload.env["DATABASE_URL"] == "postgres://app:(not shown)@db/1"
    assert workload.command == ("--requirepass", NOT_SHOWN)
    assert "hush" not in json.dumps(yaml.safe_load(stored.text))
    assert with_secrets(stored).scenario == loaded.scenario
    (tmp_path / "stored.yaml").write_text(stored.text, encoding="utf-8")
    with pytest.raises(ScenarioError) as error:
        load_scenario(tmp_path / "stored.yaml")
    for key in ("env.DB_PASSWORD", "env.DATABASE_URL", "command", "healthcheck.test"):
        assert f"workload.{key}: its value is secret" in str(error.value)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("serve --password=hush", ("--password",)),
        ("serve --api-key hush --api-key again", ("--api-key",)),
        ("env DB_PASSWORD=hush serve", ("DB_PASSWORD",)),
        ("serve --password", ()),
        ("serve --password --fast", ()),
        ("serve --password= x", ()),
        ("serve password hush", ()),
        ("serve --keys=3 --bytes 4", ()),
        ("", ()),
    ],
)
def test_values_in_a_command_that_look_secret(words: str, found: tuple[str, ...]) -> None:
    assert secrets_in_words(words.split(), {}) == found
    assert secrets_in_words(words.split(), {"MY_KEY": "hush", "OTHER_KEY": "again"}) == ()
