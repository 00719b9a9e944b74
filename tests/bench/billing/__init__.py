"""`make bench-billing`: the billing run at scale, its pace at Stripe, and what it costs at AWS."""
