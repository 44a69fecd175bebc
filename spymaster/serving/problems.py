"""Errors in the description of the API: which operation may answer what, always as a problem document."""

from __future__ import annotations

from typing import Any

PROBLEM = "application/problem+json"
_ANYWHERE = {
    "400": "another host was asked for",
    "413": "a body that is too large, or any where none belongs",
    "429": "too many requests",
}
_API = {
    "401": "no token, or a wrong one",
    "422": "parameters that cannot be",
    "503": "busy: try again later",
}
_OF_A_SESSION = {"404": "no such thing, or it is not there yet", "409": "the snapshot of the session cannot be served"}
_SESSION = "/v1/sessions/{symbol}/{dt}"
_OTHERS = {
    ("/v1/analogues", "get"): {
        "400": "a question that cannot be asked, or another host was asked for",
        "404": "no such session, or a table that is not there",
        "422": "the time lies after `as_of`",
    },
    ("/v1/analogues/paths", "get"): {
        "400": "no query_id, or another host was asked for",
        "404": "no such session, or a table that is not there",
        "422": "parameters that cannot be",
    },
    (f"{_SESSION}/episodes/{{episode_id}}/analogues", "get"): {
        "400": "a question that cannot be asked, or another host was asked for",
        "422": "parameters that cannot be",
    },
    ("/metrics", "get"): {"401": "no token, or a wrong one"},
    ("/auth", "get"): {"401": "the link was used or is too old", "422": "no ticket"},
    ("/auth", "post"): {"401": "not the token", "403": "from another page", "422": "no token"},
}
_SCHEMA = {
    "title": "Problem",
    "description": "An error. `code` is stable, and nothing tells of paths or stacks.",
    "type": "object",
    "required": ["type", "status", "code", "title"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
    },
}


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the errors of every operation instead of the framework's own."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _SCHEMA
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found = dict(_ANYWHERE)
            if path.startswith("/v1/"):
                found |= _API
            if "{symbol}" in path:
                found |= _OF_A_SESSION
            found |= _OTHERS.get((path, method), {})
            answers = {code: one for code, one in operation["responses"].items() if code < "400"}
            if path == "/readyz":
                answers["503"] = {"description": "not ready, with the reasons", "content": {"application/json": {}}}
            operation["responses"] = answers | {code: _answer(text) for code, text in sorted(found.items())}
    return document


def _answer(text: str) -> dict[str, Any]:
    return {"description": text, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
