"""Commune codes: INSEE's own tables in an engine, and small worlds whose land is known to the last piece."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from catalog.cog import macros
from catalog.lab import Granted
from catalog.lake import Current, Served, ServedColumn

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = REPOSITORY / "examples" / "normandie" / "sources"
EVENTS = "MOD VARCHAR, DATE_EFF VARCHAR, TYPECOM_AV VARCHAR, COM_AV VARCHAR, TYPECOM_AP VARCHAR, COM_AP VARCHAR"
COMMUNES = "TYPECOM VARCHAR, COM VARCHAR, COMPARENT VARCHAR"


def grant(con, dataset, edition, *resources):
    """These tables of the schema `dataset@edition` as something granted, as `Lab.granted` gives it."""
    served = {}
    for resource in resources:
        relation = con.sql(f'FROM "{dataset}@{edition}"."{resource}"')
        columns = tuple(
            ServedColumn(name=n, type=str(t)) for n, t in zip(relation.columns, relation.types, strict=True)
        )
        served[resource] = Served(
            version=0, files={}, rows=relation.shape[0], committed=dt.datetime.now(dt.UTC), columns=columns
        )
    return Granted(dataset, edition, Path(), Current(resources=served))


def engine(events, communes=None):
    """An engine with the macros on these events, and on this list of communes; each a query."""
    con = duckdb.connect()
    con.execute('CREATE SCHEMA "cog@open"')
    con.execute(f'CREATE TABLE "cog@open".mouvements AS {events}')
    if communes is not None:
        con.execute(f'CREATE TABLE "cog@open".communes AS {communes}')
    given = grant(con, "cog", "open", "mouvements", *([] if communes is None else ["communes"]))
    con.execute(macros((given,)))
    return con


def listed(rows, columns):
    """A query that answers these rows of texts."""
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    if not rows:
        return f"SELECT * FROM (SELECT {', '.join(['NULL::VARCHAR'] * len(columns.split(', ')))}) AS t({names}) LIMIT 0"
    texts = ["(" + ", ".join("NULL::VARCHAR" if one is None else f"'{one}'" for one in row) + ")" for row in rows]
    return f"SELECT * FROM (VALUES {', '.join(texts)}) AS t({names})"


def insee():
    """An engine with INSEE's COG 2026, as the example lab has it, and populations on the communes of 2025."""
    con = engine(
        f"FROM read_csv('{SOURCES / 'insee_cog2026_mouvements_communes.csv'}', all_varchar = true)",
        f"FROM read_csv('{SOURCES / 'insee_cog2026_communes.csv'}', all_varchar = true)",
    )
    con.execute(
        "CREATE TABLE populations AS SELECT COM, PMUN::BIGINT AS PMUN FROM "
        f"read_csv('{SOURCES / 'insee_donnees_communes_population.csv'}', delim = ';', all_varchar = true)"
    )
    return con


def crosswalk(con, from_year, to_year):
    """What becomes of each code: code → (to_code, state, candidates)."""
    rows = con.execute(f"FROM cog_crosswalk({from_year}, {to_year})").fetchall()
    found = {code: (to_code, state, frozenset(candidates)) for code, to_code, state, candidates in rows}
    assert len(found) == len(rows), "a code stands twice"
    return found


@dataclass
class Former:
    """A former commune within another: its land, how it goes on (COMA, COMD, or not at all), and those within it."""

    land: set
    kind: str | None
    members: dict


@dataclass
class World:
    """Communes with their land, in pieces; what happens to them is written down as INSEE does.

    `years[y]` is code → land on 1 January of the year y.
    """

    land: dict = field(default_factory=dict)
    members: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)
    years: dict = field(default_factory=dict)
    day: dt.date = dt.date(2000, 6, 1)
    codes: int = 0
    pieces: int = 0

    def new_code(self):
        self.codes += 1
        return f"{self.codes:05}"

    def found(self):
        """A commune that was always there."""
        code = self.new_code()
        self.land[code] = set(range(self.pieces, self.pieces + 4))
        self.members[code] = {}
        self.pieces += 4
        return code

    def pass_days(self, days):
        """Let time pass; what stands on each 1 January is kept."""
        later = self.day + dt.timedelta(days)
        for year in range(self.day.year, later.year + 1):
            if self.day <= dt.date(year, 1, 1) < later:
                self.years[year] = {code: set(land) for code, land in self.land.items()}
        self.day = later

    def write(self, mod, kind, code, next_kind, next_code):
        row = (str(mod), self.day.isoformat(), kind, code, next_kind, next_code)
        if row not in self.rows:
            self.rows.append(row)

    def merge(self, host, others, mod):
        """31 simple; 33 the others go on as associated; 32 all of them, the host too, go on as delegated."""
        kind = {31: None, 32: "COMD", 33: "COMA"}[mod]
        self.write(mod, "COM", host, "COM", host)
        if mod == 32:
            if host not in self.members[host]:
                self.write(mod, "COM", host, "COMD", host)
                self.members[host] = {host: Former(set(self.land[host]), "COMD", self.members[host])}
            else:
                self.write(mod, "COMD", host, "COMD", host)
        for other in others:
            self.write(mod, "COM", other, "COM", host)
            if kind is not None:
                self.write(mod, "COM", other, kind, other)
            self.members[host][other] = Former(self.land.pop(other), kind, self.members.pop(other))
            self.land[host] |= self.members[host][other].land

    def restore(self, host, codes):
        """21: these members of `host`, and no others, are communes again as they were when they joined it."""
        members = self.members[host]
        gone = {code: members.pop(code) for code in codes}
        for code, former in gone.items():
            self.land[host] -= former.land
            self.write(21, "COM", host, "COM", code)
            if former.kind is not None:
                self.write(21, former.kind, code, "COM", code)
        if self.land[host] or host in gone:
            self.write(21, "COM", host, "COM", host)
        if host in gone and self.land[host]:  # the rest goes on under the code of another of its members
            heir = min(code for code in members)
            self.write(21, "COM", host, "COM", heir)
            self.land[heir], self.members[heir] = self.land.pop(host), self.members.pop(host)
        elif not self.land[host]:
            del self.land[host], self.members[host]
        for code, former in gone.items():
            self.land[code], self.members[code] = set(former.land), former.members

    def restore_with(self, host, code, other):
        """21: `code` is a commune again, and takes `other` along, which stays an associated commune."""
        members = self.members[host]
        former, taken = members.pop(code), members.pop(other)
        self.write(21, "COM", host, "COM", host)
        self.write(21, "COM", host, "COM", code)
        self.write(21, "COM", host, "COMA", other)
        self.write(21, taken.kind or "COMA", other, "COMA", other)
        if former.kind is not None:
            self.write(21, former.kind, code, "COM", code)
        self._lose(members, taken.land)
        self.land[code] = former.land | taken.land
        self.land[host] -= self.land[code]
        self.members[code] = {**former.members, other: Former(taken.land, "COMA", taken.members)}

    def create(self, host, pieces):
        """20: a new commune from these pieces of `host`."""
        code = self.new_code()
        self.write(20, "COM", host, "COM", host)
        self.write(20, "COM", host, "COM", code)
        self.land[code], self.members[code] = set(pieces), {}
        self.land[host] -= self.land[code]
        self._lose(self.members[host], self.land[code])

    def _lose(self, members, land):
        for former in members.values():
            former.land -= land
            self._lose(former.members, land)

    def divide(self, code, shares):
        """30: a commune ends; each of the others gets a share of its land."""
        del self.land[code], self.members[code]
        for other, share in shares.items():
            self.write(30, "COM", code, "COM", other)
            self.write(30, "COM", other, "COM", other)
            self.land[other] |= share

    def recode(self, code, mod, next_code):
        """41, 50: the commune gets another code."""
        self.write(mod, "COM", code, "COM", next_code)
        self.land[next_code], self.members[next_code] = self.land.pop(code), self.members.pop(code)

    def rename(self, code):
        """10."""
        self.write(10, "COM", code, "COM", code)

    def leave(self, code):
        """30 without a commune after it: it leaves the country."""
        self.write(30, "COM", code, None, None)
        del self.land[code], self.members[code]

    def join(self):
        """20 without a commune before it: it comes into the country."""
        code = self.found()
        self.write(20, None, None, "COM", code)
        return code
