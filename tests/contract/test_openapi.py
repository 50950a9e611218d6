"""The OpenAPI document is a promise: version 3.1, and every operation shows examples that its own schemas accept."""

from datetime import UTC, datetime
from typing import Any, cast

import jsonschema
import pytest

from service.api.app import make_app
from service.api.boundary import OPEN_PATHS
from service.api.errors import MEDIA_TYPE, PROBLEMS


def _document() -> dict[str, Any]:
    # Neither database nor desk is touched to describe the API.
    nothing = cast(Any, None)
    app = make_app(nothing, nothing, nothing, nothing, b"k" * 32, wall_now=lambda: datetime.now(UTC), station_silence_s=600)
    return app.openapi()


DOCUMENT = _document()
OPERATIONS = [(method.upper(), path, spec) for path, item in DOCUMENT["paths"].items() for method, spec in item.items()]
EACH = pytest.mark.parametrize(("method", "path", "spec"), OPERATIONS, ids=[f"{m} {p}" for m, p, _ in OPERATIONS])


def check(schema: dict[str, Any], example: object) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(example)


def test_it_is_openapi_3_1_with_all_operations_of_the_first_landing() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    there = {f"{method} {path}" for method, path, _ in OPERATIONS}
    assert there >= {
        "POST /v1/offers",
        "POST /v1/reservations",
        "GET /v1/reservations",
        "GET /v1/reservations/{reservation_id}",
        "DELETE /v1/reservations/{reservation_id}",
        "POST /v1/swaps",
        "GET /v1/swaps",
        "GET /v1/swaps/{swap_id}",
        "GET /v1/swaps/{swap_id}/receipt",
        "GET /v1/me",
        "GET /v1/stations",
        "GET /v1/stations/{station_id}",
        "GET /v1/fleet",
        "GET /v1/plans/current",
        "GET /v1/plans/{plan_id}",
        "GET /v1/anomalies",
        "GET /v1/debts",
        "GET /livez",
        "GET /readyz",
        *(f"{method} /v1/{thing}" for method in ("GET", "POST") for thing in ("pack-models", "packs", "riders", "vehicles")),
    }


@EACH
def test_every_answer_has_an_example_that_fits_its_schema(method: str, path: str, spec: dict[str, Any]) -> None:
    good = {code: answer for code, answer in spec["responses"].items() if code.startswith("2")}
    assert good
    for answer in good.values():
        content = answer["content"]["application/json"]
        assert content["example"]
        check(content["schema"], content["example"])


@EACH
def test_every_body_has_an_example_that_fits_its_schema(method: str, path: str, spec: dict[str, Any]) -> None:
    assert ("requestBody" in spec) == (method == "POST")
    if "requestBody" in spec:
        content = spec["requestBody"]["content"]["application/json"]
        assert content["example"]
        check(content["schema"], content["example"])
        assert spec["requestBody"]["required"] is True


@EACH
def test_every_problem_is_documented_with_an_example(method: str, path: str, spec: dict[str, Any]) -> None:
    problems = {code: answer for code, answer in spec["responses"].items() if not code.startswith("2")}
    wanted = {"401", "403", "422", "500", "503"} if path not in OPEN_PATHS else set()
    assert wanted <= problems.keys()
    for code, answer in problems.items():
        examples = answer["content"][MEDIA_TYPE]["examples"]
        assert examples
        for name, example in examples.items():
            assert example["value"]["type"] == f"/problems/{name}"
            assert PROBLEMS[name].status == int(code)
            check(DOCUMENT["components"]["schemas"]["Problem"], example["value"])


@EACH
def test_every_operation_names_its_audience_and_says_what_it_does(method: str, path: str, spec: dict[str, Any]) -> None:
    assert set(spec["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}
    assert spec["summary"]
    assert spec["description"]
    assert (spec.get("security") is not None) == (path not in OPEN_PATHS)


def test_every_list_is_paged() -> None:
    for _, path, spec in OPERATIONS:
        schema = next(iter(spec["responses"].values())).get("content", {}).get("application/json", {}).get("schema", {})
        shown = DOCUMENT["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {}).get("properties", {})
        if "next_cursor" in shown:
            parameters = {parameter["name"]: parameter for parameter in spec["parameters"]}
            assert parameters["limit"]["schema"]["maximum"] == 200, path
            assert "cursor" in parameters, path
