"""The files that pages load."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

import chalicelib.web
from chalicelib.web.render import render_state_page
from chalicelib.web.static_files import IMMUTABLE, asset_url, static_file
from chalicelib.web.views.states import StateKind, StatePage

FOLDER = Path(chalicelib.web.__file__).parent / "static"
CSS = (FOLDER / "till.css").read_text()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("till.css", "text/css; charset=utf-8"),
        ("reference.css", "text/css; charset=utf-8"),
        ("portal.css", "text/css; charset=utf-8"),
        ("pay.js", "text/javascript; charset=utf-8"),
        ("checking.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_a_file_is_found_by_its_address_and_may_be_kept_for_ever(name: str, content_type: str) -> None:
    url = asset_url(name)
    assert re.fullmatch(rf"/static/{name.split('.')[0]}\.[0-9a-f]{{16}}\.{name.split('.')[1]}", url)
    file = static_file(url.removeprefix("/static/"))
    assert file is not None
    assert file.content == (FOLDER / name).read_bytes()
    assert (file.content_type, file.cache_control) == (content_type, IMMUTABLE)
    assert file.etag == f'"{url.split(".")[1]}"'


def test_an_older_address_gets_todays_file_but_may_not_keep_it() -> None:
    file = static_file("till.0000000000000000.css")
    assert file is not None
    assert file.cache_control == "no-cache"


@pytest.mark.parametrize(
    "name", ["", "till.css", "none.x.css", "../render.x.py", "..%2frender.x.py", "/etc/passwd", "till.x.js", "."]
)
def test_any_other_name_is_no_file(name: str) -> None:
    assert static_file(name) is None


def test_there_is_no_address_for_a_file_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        asset_url("none.css")


def test_the_folder_holds_nothing_that_cannot_be_asked_for() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        "till.css",
        "reference.css",
        "portal.css",
        "pay.js",
        "checking.js",
        "icon.svg",
    }


def test_the_style_sheet_stays_small() -> None:
    assert len(CSS.encode()) <= 12_000
    assert len(gzip.compress(CSS.encode(), 9)) <= 4_000


def test_the_style_sheet_loads_nothing() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert "@font-face" not in CSS


def test_nothing_is_moved_out_of_the_reading_order() -> None:
    assert not re.search(r"[{;\s]order\s*:", CSS)


def tokens(scheme: str) -> dict[str, str]:
    """The colours of one scheme, the dark ones over the light ones."""
    light, dark = re.findall(r":root\{(?:color-scheme:light dark;)?\n(.*?)\}", CSS, re.S)[:2]
    found = dict(re.findall(r"--([a-z0-9-]+):(#[0-9a-f]{6})", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([a-z0-9-]+):(#[0-9a-f]{6})", dark))


def luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[start : start + 2], 16)) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: str, other: str) -> float:
    """Contrast by WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT_PAIRS = [
    *[(ink, ground) for ink in ("ink", "ink2", "text") for ground in ("bg", "panel", "desk", "paper")],
    *[(tone, ground) for tone in ("err", "ok", "warn", "info") for ground in ("bg", "panel", "paper", f"{tone}-wash")],
    ("on", "fill"),
    ("on", "hover"),
]
MARK_PAIRS = [("field", "bg"), ("field", "panel"), ("field", "paper"), ("edge", "bg"), ("edge", "paper")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("colour", "ground"), TEXT_PAIRS)
def test_text_can_be_read_on_whatever_it_stands_on(scheme: str, colour: str, ground: str) -> None:
    found = tokens(scheme)
    assert ratio(found[colour], found[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("colour", "ground"), MARK_PAIRS)
def test_borders_that_mean_something_can_be_seen(scheme: str, colour: str, ground: str) -> None:
    found = tokens(scheme)
    assert ratio(found[colour], found[ground]) >= 3.0


@pytest.mark.parametrize(
    ("scheme", "colour", "on_bg", "on_panel"),
    [
        ("light", "ink", 17.8, 16.4),
        ("light", "ink2", 6.6, 6.1),
        ("light", "field", 3.4, 3.1),
        ("light", "err", 6.6, 6.1),
        ("light", "ok", 6.7, 6.2),
        ("light", "warn", 6.7, 6.2),
        ("light", "info", 6.5, 6.0),
        ("dark", "ink", 16.3, 14.9),
        ("dark", "ink2", 8.2, 7.5),
        ("dark", "field", 4.7, 4.3),
        ("dark", "err", 9.0, 8.2),
        ("dark", "ok", 10.5, 9.6),
        ("dark", "warn", 10.7, 9.8),
        ("dark", "info", 9.8, 9.0),
    ],
)
def test_the_tokens_have_the_contrast_they_were_chosen_for(
    scheme: str, colour: str, on_bg: float, on_panel: float
) -> None:
    found = tokens(scheme)
    assert ratio(found[colour], found["bg"]) == pytest.approx(on_bg, abs=0.06)
    assert ratio(found[colour], found["panel"]) == pytest.approx(on_panel, abs=0.06)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_never_darker_than_the_desk(scheme: str) -> None:
    found = tokens(scheme)
    assert luminance(found["paper"]) > luminance(found["desk"])


def test_a_site_under_a_path_has_its_files_there_too() -> None:
    assert asset_url("till.css", "/api") == "/api" + asset_url("till.css")
    page = render_state_page(StatePage(StateKind.UNKNOWN), root="/api")
    assert re.findall(r'href="([^"]*\.css)"', page) == ["/api" + asset_url("till.css")]
