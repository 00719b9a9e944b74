"""What a buyer's browser loads from Stripe: stripe.js, the Payment Element's frame, the 3-D Secure challenge."""
