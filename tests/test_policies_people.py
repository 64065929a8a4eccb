"""Users stand in datalab.toml or in the register, and their groups in one of the two."""

from __future__ import annotations

import datetime as dt
import stat

import pytest

from policies.errors import LakeError, UsageError
from policies.people import Account, People

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


@pytest.fixture
def people(tmp_path) -> People:
    (tmp_path / "datalab.toml").write_text('[policies.users]\nada = ["partners"]\n')
    return People(tmp_path / "datalab.toml", tmp_path / "var" / "users.json")


def add(people, name, *groups):
    people.change(lambda accounts: accounts.update({name: Account(groups=groups, changed=NOW)}))


def test_a_user_of_the_register_is_a_principal_with_the_groups_that_stand_there(people):
    add(people, "cyd", "researchers")
    assert people.of_user("cyd") == {"everyone", "user:cyd", "group:researchers"}
    assert people.resolve("group:researchers") == {"everyone", "group:researchers"}


def test_the_groups_of_a_user_of_datalab_toml_stand_there_alone(people):
    add(people, "ada", "stewards")
    assert people.of_user("ada") == {"everyone", "user:ada", "group:partners"}
    with pytest.raises(UsageError, match="unknown group 'stewards'"):
        people.resolve("group:stewards")


def test_a_change_of_either_file_counts_at_the_next_question(people, tmp_path):
    add(people, "cyd")
    assert "cyd" in people.users()
    people.change(lambda accounts: accounts.pop("cyd"))
    with pytest.raises(UsageError, match="unknown user 'cyd'"):
        people.of_user("cyd")
    (tmp_path / "datalab.toml").write_text("[policies.users]\nada = []\nbob = []\n")
    assert people.of_user("bob") == {"everyone", "user:bob"}
    assert people.of_user("ada") == {"everyone", "user:ada"}


def test_the_register_is_its_owners_alone_and_a_damaged_one_lets_nobody_in(people, tmp_path):
    add(people, "cyd")
    register = tmp_path / "var" / "users.json"
    assert stat.S_IMODE(register.stat().st_mode) == 0o600
    register.write_text('{"cyd": {"groups": ["stewards"]')
    with pytest.raises(LakeError, match="users.json: is damaged"):
        people.of_user("cyd")


@pytest.mark.parametrize("name", ["Cyd", "\u0441yd", "c" * 64, "../cyd", "", "1cyd", "cyd\n"])
def test_a_name_that_no_principal_could_have_is_refused_and_nothing_is_changed(people, name):
    add(people, "dan")
    with pytest.raises(UsageError, match="is no name of a user or a group: expected at most 63 of a-z"):
        add(people, name)
    with pytest.raises(UsageError, match="is no name"):
        people.change(lambda accounts: accounts.update({"eve": accounts["dan"].model_copy(update={"groups": (name,)})}))
    assert set(people.users()) == {"ada", "dan"}


def test_a_digest_is_not_shown_where_an_account_is_printed():
    assert "argon2" not in repr(Account(digest="$argon2id$secret", changed=NOW))
