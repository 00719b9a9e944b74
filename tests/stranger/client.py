"""A client for any API that describes itself in OpenAPI 3.1: it knows of this one what the document says, and no more.

Whoever reads the document could have written it. Bodies are held against their schemas before they are sent, and
answers before they are believed.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs


class Refused(Exception):
    """A documented refusal: its status and the error."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error


class NotAsDocumented(Exception):
    """What came or was to be sent is not what the document says."""


@dataclass(frozen=True)
class Described:
    """One operation as the document has it."""

    method: str
    path: str
    said: Mapping[str, Any]


class Client:
    """The operations of a document, called by their ids with one key."""

    def __init__(self, document_url: str, key: str) -> None:
        with urllib.request.urlopen(document_url, timeout=60) as response:  # noqa: S310 - the address that we were given
            self.document: Mapping[str, Any] = json.load(response)
        self._key = key
        self._registry = jsonschema_rs.Registry([("urn:api", self.document)], draft=jsonschema_rs.Draft202012)
        self.operations = {
            said["operationId"]: Described(method.upper(), path, said)
            for path, methods in self.document["paths"].items()
            for method, said in methods.items()
        }

    def call(self, operation_id: str, **given: Any) -> Any:
        """The answer of an operation. What is given by the name of a parameter is one; the rest goes into the body.

        Body fields that are needed and not given are those of the document's example. Raises Refused, NotAsDocumented.
        """
        described = self.operations[operation_id]
        said = described.said
        parameters = [self._found(each) for each in said.get("parameters", ())]
        path, query, headers = described.path, {}, {"Authorization": f"Bearer {self._key}"}
        for each in parameters:
            name, place = each["name"], each["in"]
            if place == "path":
                path = path.replace(f"{{{name}}}", urllib.parse.quote(str(given.pop(name)), safe=""))
            elif place == "query" and name in given:
                query[name] = str(given.pop(name))
            elif name == "Idempotency-Key":
                headers[name] = str(uuid.uuid4())
        body = self._body(operation_id, said, given)
        if body is not None:
            headers["Content-Type"] = "application/json"
        elif given:
            raise NotAsDocumented(f"{operation_id} has no {', '.join(given)}")
        url = self.document["servers"][0]["url"] + path + ("?" + urllib.parse.urlencode(query) if query else "")
        status, answer = self._send(described.method, url, body, headers)
        return self._believed(operation_id, said, status, answer)

    def _body(self, operation_id: str, said: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
        if "requestBody" not in said:
            return None
        content = self._found(said["requestBody"])["content"]["application/json"]
        needed = self._found(content["schema"]).get("required", ())
        filled = {name: content["example"][name] for name in needed if name not in given}
        body = {**filled, **given}
        self._hold(f"the body of {operation_id}", content["schema"], body)
        return body

    def _believed(self, operation_id: str, said: Mapping[str, Any], status: int, answer: Any) -> Any:
        response = said["responses"].get(str(status))
        if response is None:
            raise NotAsDocumented(f"{operation_id} answered {status}: {answer}")
        schema = self._found(response)["content"]["application/json"]["schema"]
        self._hold(f"the {status} of {operation_id}", schema, answer)
        if status >= 400:
            raise Refused(status, answer["error"])
        return answer

    def _found(self, maybe: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Any = maybe
        if "$ref" in maybe:
            found = self.document
            for step in maybe["$ref"].removeprefix("#/").split("/"):
                found = found[step]
        return dict(found)

    def _hold(self, what: str, schema: Mapping[str, Any], value: Any) -> None:
        # References are read in the document, wherever the schema that has them stands.
        anchored = json.loads(re.sub(r'"\$ref": "#', '"$ref": "urn:api#', json.dumps(schema)))
        validator = jsonschema_rs.Draft202012Validator(anchored, registry=self._registry, validate_formats=True)
        wrong = "; ".join(f"{each.instance_path}: {each.message}" for each in validator.iter_errors(value))
        if wrong:
            raise NotAsDocumented(f"{what}: {wrong}")

    def _send(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, dict(headers), method=method)  # noqa: S310 - the document's server
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the same
                return response.status, json.load(response)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)
