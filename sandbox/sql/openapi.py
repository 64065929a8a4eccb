"""The gateway's addresses as an OpenAPI 3.1 document, for programs that make clients of it. Pure."""

from __future__ import annotations

from typing import Any

from sandbox.sql.asked import MEDIA_TYPES
from sandbox.sql.rows import LARGEST_PAGE, PAGE_SIZE

_REFUSALS = {
    "400": "the request or its SQL is wrong; `error` says what and where",
    "401": "no token, or one that is unknown or has ended",
    "403": "the token is for another purpose",
    "404": "nothing is there, or nothing that was granted",
    "406": "answers come in other forms",
    "408": "the request did not come in time",
    "413": "the request is too long",
    "415": "the request has another type",
    "416": "the file has no such part",
    "429": "too many queries wait already; Retry-After says when to come back",
    "503": "the lab cannot answer now",
    "504": "stopped at the deadline",
}
_TABLES: dict[str, Any] = {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
_PARTS = ("dataset", "edition", "resource")


def document() -> dict[str, Any]:
    """The document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "DataLab SQL gateway", "version": "1", "description": "What a token's owner is granted."},
        "servers": [{"url": "./"}],
        "security": [{"token": []}, {}],
        "paths": {
            "/": {"get": _get("Where to go on", {"application/json": {"schema": {"type": "object"}}})},
            "/openapi.json": {"get": _get("This document", {"application/json": {"schema": {"type": "object"}}})},
            "/client/{file}": {"get": _client()},
            "/sql": {"post": _sql()},
            "/datasets": {"get": _get("Every table that is granted", _TABLES, _purpose())},
            "/data/{dataset}/{edition}": {"get": _edition()},
            "/data/{dataset}/{edition}/{resource}": {"get": _file()},
            "/data/{dataset}/{edition}/{resource}/rows": {"get": _rows()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Refusal": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                },
                "Query": {
                    "type": "object",
                    "required": ["sql"],
                    "additionalProperties": False,
                    "properties": {
                        "sql": {"type": "string", "examples": ["SELECT * FROM irve.bornes WHERE code_insee = $1"]},
                        "params": {
                            "anyOf": [
                                {"type": "array", "items": {"$ref": "#/components/schemas/Value"}},
                                {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}},
                                {"type": "null"},
                            ]
                        },
                        "purpose": {"type": ["string", "null"], "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
                    },
                },
                "Value": {"type": ["string", "number", "boolean", "null"]},
                "Page": {
                    "type": "object",
                    "required": ["data", "links", "meta"],
                    "properties": {
                        "data": {"type": "array", "items": {"type": "object"}},
                        "links": {"type": "object"},
                        "meta": {"type": "object"},
                    },
                },
            },
        },
    }


def _get(summary: str, content: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": {"description": summary, "content": content}, **_refusals("400", "401", "403", "503")},
    }


def _edition() -> dict[str, Any]:
    told = _get("The tables of an edition that is granted", _TABLES, *_path()[:2], _purpose())
    return {**told, "responses": {**told["responses"], **_refusals("404")}}


def _client() -> dict[str, Any]:
    name = {"name": "file", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "summary": "The Python package `lab`, for pip; `python` of / says its name",
        "parameters": [name],
        "responses": {"200": {"description": "The wheel", "content": {"application/zip": {}}}, **_refusals("404")},
    }


def _sql() -> dict[str, Any]:
    query = {"schema": {"$ref": "#/components/schemas/Query"}}
    text = {"schema": {"type": "string", "minLength": 1}}
    return {
        "summary": "One SELECT, answered in the form that Accept names",
        "security": [{"token": []}],
        "parameters": [_purpose()],
        "requestBody": {"required": True, "content": {"application/json": query, "application/sql": text}},
        "responses": {
            "200": {"description": "The rows", "content": _forms({"type": "array"})},
            **_refusals("400", "401", "403", "406", "408", "413", "415", "429", "503", "504"),
        },
    }


def _file() -> dict[str, Any]:
    content: dict[str, Any] = {MEDIA_TYPES["parquet"]: {}}
    return {
        "summary": "The table as a Parquet file; Range and ETag work",
        "parameters": [*_path(), _purpose()],
        "responses": {
            "200": {"description": "The file", "content": content},
            "206": {"description": "A part of it", "content": content},
            "304": {"description": "It is the one that If-None-Match names"},
            **_refusals("400", "401", "403", "404", "416", "503"),
        },
    }


def _rows() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 1}
    return {
        "summary": "Rows of the table: COLUMN__OPERATOR=VALUE filters, sorts, groups and adds up",
        "description": (
            "Operators: exact, differs, contains, notcontains, in, notin, less, greater, strictly_less, "
            "strictly_greater, isnull, isnotnull; sort (asc, desc); groupby, count, sum, avg, min, max."
        ),
        "parameters": [
            *_path(),
            _purpose(),
            _query("columns", {"type": "string"}, "The columns to answer with, parted by commas"),
            _query("page", number, "Which page"),
            _query("page_size", {**number, "maximum": LARGEST_PAGE}, f"Rows a page, {PAGE_SIZE} if nothing is said"),
        ],
        "responses": {
            "200": {"description": "A page of rows", "content": _forms({"$ref": "#/components/schemas/Page"})},
            **_refusals("400", "401", "403", "404", "406", "429", "503", "504"),
        },
    }


def _forms(json_schema: dict[str, Any]) -> dict[str, Any]:
    return {
        media_type.partition(";")[0]: {"schema": json_schema} if form == "json" else {}
        for form, media_type in MEDIA_TYPES.items()
    }


def _path() -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _PARTS]


def _purpose() -> dict[str, Any]:
    return _query("purpose", {"type": "string"}, "What the data are used for; grants may demand it")


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _refusals(*codes: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {code: {"description": _REFUSALS[code], "content": content} for code in codes}
