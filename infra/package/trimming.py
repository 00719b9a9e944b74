"""What of the unpacked zip stays: every rule says why what it takes out is never used, and a test imports the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NEVER_MET: Final = (
    "apps|billing|billing_portal|checkout|climate|entitlements|financial_connections|forwarding|identity|issuing|"
    "product_catalog|radar|reporting|reserve|sigma|tax|terminal|test_helpers|three_d_secure|treasury"
)

LANGUAGES: Final = ("root", "en")
"""CLDR's data that stay; `root` is what every language builds on. A language that pages learn must be added here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Paths that go, as a pattern on the path inside the zip, and why that is right."""

    pattern: re.Pattern[str]
    why: str


def _rule(pattern: str, why: str) -> Rule:
    return Rule(re.compile(pattern), why)


_KEPT_LANGUAGES: Final = "|".join(LANGUAGES)

RULES: Final = (
    _rule(r"(.*/)?__pycache__/", "compiled by another, and again by us"),
    _rule(r".*\.(pyi|pyx|pxd|c|h|typed)$", "for compilers and type checkers"),
    # What is looked up at run time are entry points of plug-ins for pydantic, of which there are none.
    _rule(r"[^/]+\.(dist-info|data)/", "for installers"),
    _rule(r"certifi/tests/", "tests"),
    _rule(r"charset_normalizer/cli/|.*/__main__\.py$", "command lines"),
    _rule(r"babel/messages/", "extracts words for translators"),
    _rule(rf"babel/locale-data/(?!({_KEPT_LANGUAGES})\.dat$)", "languages that no page speaks"),
    _rule(r"botocore/cacert\.pem$", "botocore takes certifi's, which is here for Stripe"),
    _rule(r"botocore/data/[^/]+/[^/]+/(examples|paginators|waiters)-.*", "no client of ours pages, waits or explains"),
    _rule(r"charset_normalizer/.*\.so$", "compiled twins of modules that stay; nothing here guesses an encoding"),
    _rule(r"[0-9a-f]+__mypyc\..*\.so$", "the same"),
    _rule(r"dateutil/zoneinfo/.*\.tar\.gz$", "a second copy of the time zones"),
    _rule(r"pydantic/(v1|mypy\.py|_hypothesis_plugin\.py)", "pydantic 1, and plug-ins of tools"),
    _rule(r"stripe/params/", "types of parameters, imported by type checkers alone"),
    _rule(r"stripe/events/", "classes of v2 notifications, which Till does not take"),
    # Stripe's package makes an object of whatever a reply names. What Till asks for, and the events it takes, are made
    # of objects of the package's first level.
    _rule(rf"stripe/({_NEVER_MET})/", "products of Stripe that Till has nothing to do with"),
    _rule(r"urllib3/contrib/emscripten/", "browsers"),
)


def trim(tree: Path) -> None:
    """Take out of an unpacked zip what the rules name."""
    for path in sorted(tree.rglob("*"), reverse=True):
        inside = path.relative_to(tree).as_posix()
        if path.is_file() and any(rule.pattern.match(inside) for rule in RULES):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
