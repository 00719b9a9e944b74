"""The web app's routes in a fresh interpreter: who opens a page does not load the API, and who asks for it gets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EVENT = """
def ask(method, path):
    context = {"resourcePath": path, "httpMethod": method, "requestId": "r"}
    headers = {"content-type": "application/json"}
    event = {"requestContext": context, "headers": headers, "multiValueHeaders": {}, "pathParameters": {},
             "multiValueQueryStringParameters": None, "stageVariables": None, "body": "{}", "isBase64Encoded": False}
    return app(event, None)["statusCode"]

def loaded(name):
    return f"chalicelib.handlers.{name}" in sys.modules
"""


def fresh(program: str) -> Any:
    """What a program says of the app in an interpreter of its own; the last line that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\nfrom app import app\n{EVENT}\n{program}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_app_and_serving_a_file_loads_neither_api_nor_webhooks() -> None:
    said = fresh("""
context = {"resourcePath": "/static/{name}", "httpMethod": "GET", "requestId": "r"}
event = {"requestContext": context, "headers": {}, "multiValueHeaders": {}, "pathParameters": {"name": "nothing"},
         "multiValueQueryStringParameters": None, "stageVariables": None, "body": None, "isBase64Encoded": False}
entry = app.routes["/static/{name}"]["GET"]
print(json.dumps([entry.view_name, loaded("api"), loaded("webhooks")]))
""")
    assert said == ["static", False, False]


def test_the_first_request_for_a_late_route_finds_it() -> None:
    said = fresh("""
hook = app.routes["/webhooks/stripe"]
first = [sorted(hook), loaded("webhooks"), loaded("api")]
wrong_method = ask("DELETE", "/v1/payment_links")
print(json.dumps([*first, wrong_method, loaded("api"), sorted(app.routes["/v1/payment_links"])]))
""")
    assert said == [["POST"], True, False, 405, True, ["GET", "POST"]]


def test_who_lists_the_routes_sees_all_of_them() -> None:
    said = fresh("""
paths = list(app.routes)
print(json.dumps([len(paths) == len(set(paths)) == len(app.routes), "/pay/{slug}/{token}" in paths,
                  "/webhooks/stripe/{merchant}" in app.routes, "/v1/payment_links" in dict(app.routes),
                  all(app.routes.values()), len(app.routes.items()) == len(app.routes.keys())]))
""")
    assert said == [True] * 6


def test_a_path_that_nobody_has_is_still_nobodys_afterwards() -> None:
    said = fresh("""
before = ask("GET", "/nowhere")
print(json.dumps([before, sorted(app.routes["/nowhere"])]))
""")
    assert said == [405, []]
