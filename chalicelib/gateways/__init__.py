"""The other edges: Stripe, SES, SQS, the clock."""
