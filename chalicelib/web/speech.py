"""What templates call to write values: the words and formats of one language in one merchant's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING

from chalicelib.web import formatting
from chalicelib.web.words import documents, fields, schedule
from chalicelib.web.words.declines import decline_words

if TYPE_CHECKING:
    from chalicelib.domain.billing.recurrence import Frequency, Recurrence
    from chalicelib.domain.money.amounts import Money
    from chalicelib.web.views.common import Decline, DiscountRow, LaterCharge, LineView, MethodView, TaxRow
    from chalicelib.web.views.invoice import InvoicePage, PaymentRow
    from chalicelib.web.views.pay import PayPage
    from chalicelib.web.views.portal import Attention, InvoiceRow, SubscriptionCard
    from chalicelib.web.views.receipt import ReceiptPage
    from chalicelib.web.words.portal import Standing


@dataclass(frozen=True, slots=True)
class Speech:
    """`locale` is a CLDR name, `timezone` the merchant's IANA name."""

    locale: str
    timezone: str

    def money(self, amount: Money) -> str:
        """`$148.00`."""
        return formatting.format_money(amount, self.locale)

    def code_beside(self, amount: Money) -> str:
        """The currency code for the headline amount, empty where the sign is clear by itself."""
        return amount.currency.upper() if formatting.shares_sign(amount.currency, self.locale) else ""

    def code(self, amount: Money) -> str:
        """`USD`."""
        return amount.currency.upper()

    def date(self, moment: datetime) -> str:
        """`14 April 2027`."""
        return formatting.format_date(moment, self.timezone, self.locale)

    def number(self, value: int) -> str:
        """`1,200`."""
        return formatting.format_number(value, self.locale)

    def name(self, text: str) -> str:
        """A name inside a sentence or an attribute, where no `<bdi>` can stand."""
        return formatting.isolate(text)

    def price(self, amount: Money, frequency: Frequency) -> str:
        """`$49.00 a month`."""
        return schedule.price(amount, frequency, self.locale)

    def line_schedule(self, recurring: Recurrence) -> str:
        """`every month, 12 payments`."""
        return schedule.line_schedule(recurring, self.locale)

    def due_sentence(self, charges: tuple[LaterCharge, ...]) -> str:
        """`due today. Then $49.00 a month from 14 April 2027.`"""
        return schedule.due_sentence(charges, self.timezone, self.locale)

    def stepped(self, charge: LaterCharge) -> tuple[LaterCharge, ...]:
        """A row for each amount that a subscription will charge."""
        return schedule.stepped(charge)

    def rule(self, charge: LaterCharge) -> str:
        """`every month, until you cancel`."""
        return schedule.rule(charge, self.locale)

    def button(self, page: PayPage) -> str:
        """The pay page's main button."""
        if page.replaces is not None:
            # A first pay page does not pay for the portal's words.
            from chalicelib.web.words.portal import replace_button

            return replace_button(page.due_today, had_method=page.replaces == "card", locale=self.locale)
        return schedule.button_text(page.due_today, page.later_charges, self.locale, owed=page.billed_to is not None)

    def consent(self, page: PayPage) -> schedule.ConsentText | None:
        """What pressing that button agrees to."""
        saving = page.replaces is not None
        return schedule.consent_text(
            page.merchant.name, page.due_today, page.later_charges, self.timezone, self.locale, saving=saving
        )

    def also_owed(self, page: PayPage) -> str:
        """What else that card is charged for at once; empty for nothing."""
        return schedule.also_owed_text(page.due_today, page.also_owed, self.locale)

    def pay_title(self, page: PayPage) -> str:
        """The pay page's title."""
        if page.replaces is not None:
            return f"{self.button(page)}, {self.name(page.title)} at {self.name(page.merchant.name)}"
        owed = page.billed_to is not None
        return schedule.title_text(page.merchant.name, page.due_today, page.later_charges, self.locale, owed=owed)

    def paying(self, page: PayPage) -> str:
        """What the button says after the press."""
        if page.replaces is not None:
            return "Saving your card…"
        return schedule.paying_text(page.due_today, self.locale)

    def next_charge(self, charges: tuple[LaterCharge, ...]) -> str:
        """`Next charge: $49.00 on 14 April 2027.`"""
        return schedule.next_charge_sentence(charges, self.timezone, self.locale)

    def cancel_links(self, page: ReceiptPage) -> tuple[tuple[str, str], ...]:
        """`Cancel subscription` and its address, for each subscription."""
        return schedule.cancel_links(page.later_charges, page.cancel_url)

    def period(self, start: datetime, end: datetime) -> str:
        """`14 March 2027 to 13 April 2027`, both days included."""
        return schedule.period_words(start, end, self.timezone, self.locale)

    def discount(self, row: DiscountRow) -> str:
        """`Discount SPRING`."""
        return documents.discount_label(row)

    def line_discount(self, line: LineView) -> str:
        """`Spring offer −$5.00`, under the line's name; empty without one."""
        return documents.line_discount_words(line, self.locale)

    def units(self, line: LineView) -> str:
        """`3 × $20.00`, under the line's name; empty for one unit."""
        return documents.units_words(line, self.locale)

    def payment(self, row: PaymentRow) -> str:
        """`Paid 5 March 2027 with Visa ending 4242`."""
        return documents.payment_label(row, self.timezone, self.locale)

    @property
    def field_words(self) -> ModuleType:
        """What stands under a field that needs fixing."""
        return fields

    @property
    def authentication(self) -> Decline:
        """What the page's script says when the buyer's bank did not confirm them."""
        return decline_words("payment_intent_authentication_failure")

    @property
    def consent_version(self) -> str:
        """Which wording of the consent that is."""
        return schedule.CONSENT_VERSION

    def tax(self, row: TaxRow) -> str:
        """`VAT 20%`, or for an inclusive one `includes VAT 20%`."""
        return documents.tax_label(row, self.locale)

    def method(self, method: MethodView) -> str:
        """`Visa ending 4242`."""
        return documents.method_words(method)

    def invoice_status(self, page: InvoicePage) -> documents.InvoiceStatus:
        """The tag and the sentence of an invoice."""
        return documents.invoice_status(page, self.locale)

    def subscription_standing(self, card: SubscriptionCard) -> Standing:
        """How a subscription stands: a tag, and what comes next."""
        from chalicelib.web.words.portal import subscription_standing

        return subscription_standing(card, self.timezone, self.locale)

    def invoice_standing(self, row: InvoiceRow) -> Standing:
        """The tag of an invoice in a list."""
        from chalicelib.web.words.portal import invoice_standing

        return invoice_standing(row)

    def attention(self, attention: Attention) -> tuple[str, str, str]:
        """What happened, what to do, and the button."""
        from chalicelib.web.words.portal import attention_words

        return attention_words(attention, self.locale)

    def first_name(self, name: str | None) -> str:
        """How the receipt thanks: the first word of a name, empty when there is none."""
        return formatting.isolate(formatting.shorten(name.split()[0], 40)) if name and name.split() else ""
