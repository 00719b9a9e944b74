"""One package for all tests of a run, and the folder that Lambda would unpack it into."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.package.build import Package, build
from tests.package.cloud import Cloud


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Zip and template as `make package` makes them."""
    return build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def unpacked(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, unpacked, like `/var/task`."""
    tree = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package.zip) as packed:
        packed.extractall(tree)
    return tree


@pytest.fixture(scope="session")
def template(package: Package) -> dict[str, Any]:
    """The template that is deployed."""
    found: dict[str, Any] = json.loads(package.template.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def cloud(
    template: dict[str, Any], unpacked: Path, dynamodb_endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """What the Lambdas meet, for all tests of a run: each Lambda is started once."""
    made = Cloud(template, unpacked, tmp_path_factory.mktemp("cloud"), dynamodb_endpoint)
    with made.parts:
        made.start()
        yield made
