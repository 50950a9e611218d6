"""The OpenAPI document with its examples whole: the framework drops members that are null, and null means something here."""

from typing import Any

from fastapi import FastAPI

from service.api.schemas import Shown


def install(app: FastAPI) -> None:
    """Make `app` describe itself with complete examples."""
    framework = app.openapi

    def described() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        document = framework()
        if fresh:
            _restore(document, {model.__name__: model.example for model in _below(Shown)})
        return document

    app.openapi = described  # type: ignore[method-assign]


def _below(model: type[Shown]) -> list[type[Shown]]:
    return [found for child in model.__subclasses__() for found in (child, *_below(child))]


def _restore(document: dict[str, Any], examples: dict[str, dict[str, Any]]) -> None:
    for item in document["paths"].values():
        for spec in item.values():
            for answer in spec["responses"].values():
                content = answer.get("content", {}).get("application/json")
                if content is not None and "example" in content:
                    content["example"] = examples[content["schema"]["$ref"].rpartition("/")[2]]
