"""One policy, all doors: whatever the grants, each door shows a principal the same editions, and those alone."""

from __future__ import annotations

import datetime as dt

import pytest
import yaml
from fixtures_sandbox import commit, make_lab, profile_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import DCAT, RDF, Graph

from catalog.ckan.listing import listings
from catalog.entries import EVERYONE, entries
from catalog.feed import feed
from catalog.query import connect
from catalog.settings import CatalogSettings
from policies.errors import DeniedError
from sandbox.sql.access import Access, Reader

TODAY = dt.datetime.now(dt.UTC).date()
DAYS = (None, TODAY - dt.timedelta(1), TODAY, TODAY + dt.timedelta(1))
WHO = {"ada": {"everyone", "user:ada", "group:partners"}, "bob": {"everyone", "user:bob"}}

grants = st.fixed_dictionaries(
    {
        "to": st.sampled_from(["everyone", "user:ada", "user:bob", "group:partners"]),
        "edition": st.sampled_from(["open", "raw"]),
        "purposes": st.sampled_from(["any", ["mobility"], ["study", "mobility"]]),
        "from": st.sampled_from(DAYS),
        "until": st.sampled_from(DAYS),
        "why": st.just("a test"),
    }
).filter(lambda grant: grant["to"] == "everyone" or grant["until"] is not None)
policies = st.lists(grants.filter(lambda one: (one["to"], one["edition"]) != ("everyone", "raw")), max_size=4)


def expected(granted, who, purpose) -> set[tuple[str, str]]:
    """The same decision, written down once more and in another way."""
    return {
        (dataset, one["edition"])
        for dataset, rules in granted.items()
        for one in rules
        if one["to"] in who
        and (one["from"] or TODAY) <= TODAY < (one["until"] or dt.date.max)
        and (one["purposes"] == "any" or purpose in one["purposes"])
    }


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    lab = make_lab(tmp_path_factory.mktemp("doors") / "lab")
    commit(lab, "secret", "open", ["t"], geometry=False)
    return lab


def write(lab, granted) -> None:
    for dataset, rules in granted.items():
        said = [{key: value for key, value in one.items() if value is not None} for one in rules]
        policy = {"owner": "Service", "editions": {"open": {"bornes": {"keep": ["id"]}}}, "grants": said}
        (lab.root / "policies" / f"{dataset}.yaml").write_text(yaml.safe_dump(policy))


def of_sql(lab, who, purpose):
    con = connect(lab, frozenset(who), purpose=purpose)
    views = con.execute("SELECT schema_name FROM duckdb_views() WHERE contains(schema_name, '@')").fetchall()
    return {tuple(name.split("@")) for (name,) in views}


def of_a_sandbox(lab, user, purpose):
    try:
        profile = profile_for(lab, "true", user=user, purpose=purpose)
    except DeniedError:
        return set()
    files = {tuple(path.split("/")[2:4]) for path in profile.files if path.endswith("/current.json")}
    mounts = {tuple(one.target.split("/")[2:4]) for one in profile.mounts if one.target.startswith("/data/")}
    assert files == mounts
    return files


def of_the_gateway(lab, user, who, purpose):
    view = Access(lab).view(Reader(f"user:{user}", frozenset(who), purpose))
    handed = {tuple(one.target.split("/")[2:4]) for one in view.data.mounts}
    assert handed == {(one.dataset, one.edition) for one in view.granted}
    return handed


@given(st.fixed_dictionaries({"irve": policies, "secret": policies}), st.sampled_from([None, "mobility", "study", "x"]))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_door_shows_a_principal_the_same_editions(shared, granted, purpose):
    write(shared, granted)
    for user, who in WHO.items():
        right = expected(granted, who, purpose)
        assert of_sql(shared, who, purpose) == right
        assert of_a_sandbox(shared, user, purpose) == right
        assert of_the_gateway(shared, user, who, purpose) == right
        assert {(one.slug, one.edition) for one in entries(shared, frozenset(who), purpose=purpose)} == right
    public = expected(granted, EVERYONE, None)
    told = b"".join(feed(CatalogSettings(), entries(shared, EVERYONE), "ttl"))
    named = Graph().parse(data=told.decode()).subjects(RDF.type, DCAT.Dataset)
    assert {tuple(str(one).rpartition("/")[2].split("#")) for one in named} == public
    assert {(one.entry.slug, one.entry.edition) for one in listings(shared, lambda _: None)} == public
