"""Lines priced by tiers as pages and mails show them: which units cost what, and never a price that no unit has."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from chalicelib.domain.documents.lines import LineItem
from chalicelib.domain.pricing import PriceModel, Tier, TierTable
from chalicelib.domain.totals import compute_totals
from chalicelib.handlers.presenting import invoice_lines
from chalicelib.web import render, render_mails
from chalicelib.web.words.documents import units_words
from chalicelib.web.words.mails import receipt_text, receipt_words
from tests import builders as build
from tests.web import samples
from tests.web.samples import usd
from tests.web.views import LineView

FONTS = (Tier(5, usd(700)), Tier(10, usd(650)), Tier(None, usd(600)))
STEEP = tuple(Tier(None if n == 6 else n, usd(100 * n)) for n in range(1, 7))


def line(model: PriceModel, quantity: int, tiers: tuple[Tier, ...] = FONTS) -> LineItem:
    return LineItem("Fonts", quantity, None, tiers=TierTable(model, tiers))


def shown(item: LineItem) -> LineView:
    """The line as an invoice's page has it."""
    return invoice_lines(build.invoice(lines=(item,)))[0]


def words_of(page: str) -> str:
    """The text of some HTML, with ordinary spaces."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (build.line(quantity=3, unit_amount=2_000), "3 × $20.00"),
        (build.line(quantity=1_200, unit_amount=2_000), "1,200 × $20.00"),
        (build.line(quantity=1), ""),
        (line(PriceModel.VOLUME, 6), "6 × $6.50"),
        (line(PriceModel.GRADUATED, 5), "5 × $7.00"),
        (line(PriceModel.GRADUATED, 6), "5 × $7.00 + 1 × $6.50"),
        (line(PriceModel.GRADUATED, 1_000), "5 × $7.00 + 5 × $6.50 + 990 × $6.00"),
        (line(PriceModel.GRADUATED, 4, STEEP), "1 × $1.00 + 1 × $2.00 + 1 × $3.00 + 1 × $4.00"),
        (line(PriceModel.GRADUATED, 1_000, STEEP), "Quantity 1,000"),
        (line(PriceModel.STAIRSTEP, 7), "Quantity 7"),
        *((line(model, 1), "") for model in (PriceModel.VOLUME, PriceModel.GRADUATED, PriceModel.STAIRSTEP)),
    ],
)
def test_under_a_line_stands_how_its_amount_comes_about(item: LineItem, words: str) -> None:
    assert units_words(shown(item)).replace("\u00a0", " ") == words


def test_an_invoice_has_a_unit_price_only_where_all_units_have_it() -> None:
    items = (line(PriceModel.VOLUME, 6), line(PriceModel.GRADUATED, 6), line(PriceModel.STAIRSTEP, 7))
    totals = compute_totals(items, currency="usd")
    invoice = build.invoice(lines=items)
    assert invoice.totals == totals
    page = replace(samples.INVOICE, lines=invoice_lines(invoice))
    text = words_of(render.render_invoice_page(page))
    assert "Fonts 6 × $6.50 6 $6.50 $39.00" in text
    assert "Fonts 5 × $7.00 + 1 × $6.50 6 $41.50" in text
    assert "Fonts Quantity 7 7 $6.50" in text


def test_a_pay_page_of_one_tiered_line_says_it_below_the_amount() -> None:
    page = replace(samples.ONE_TIME, title="Fonts", lines=(shown(line(PriceModel.GRADUATED, 6)),))
    assert "5 × $7.00 + 1 × $6.50" in words_of(render.render_pay_page(page))
    single = replace(page, lines=(shown(line(PriceModel.STAIRSTEP, 1)),))
    assert "Quantity" not in words_of(render.render_pay_page(single))


def test_a_receipt_says_it_in_both_of_its_parts() -> None:
    mail = replace(samples.RECEIPT_MAIL, lines=(shown(line(PriceModel.GRADUATED, 6)),))
    assert "Fonts, 5 x $7.00 + 1 x $6.50: $41.50" in receipt_text(mail, receipt_words(mail))
    assert "5 × $7.00 + 1 × $6.50" in words_of(render_mails.render_receipt_mail(mail).html)
