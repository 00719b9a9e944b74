"""A link paid by a buyer: the page, the submit, the booking, the expiry."""
