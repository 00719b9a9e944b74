"""Money sent back: set aside first, then made at Stripe, then booked or released, whoever asked for it."""
