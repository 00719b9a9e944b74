"""Under a field: the fix, not the fault."""

from __future__ import annotations

from typing import Final

EMAIL_EMPTY: Final = "Enter your e-mail address, so that we can send the receipt"
SIGN_IN_EMPTY: Final = "Enter your e-mail address, so that we can send you a link"
EMAIL_NO_AT: Final = "Enter an e-mail address with an @, like name@example.com"
EMAIL_WRONG: Final = "Enter one e-mail address without spaces or commas, like name@example.com"
EMAIL_LONG: Final = "Enter an e-mail address of at most 254 characters"
NAME_EMPTY: Final = "Enter your name"
NAME_LONG: Final = "Enter a name of at most 200 characters"
NAME_CONTROL: Final = "Enter your name in letters only"
NAME_CARD: Final = "Enter your name here, and the card number in the card form below"
