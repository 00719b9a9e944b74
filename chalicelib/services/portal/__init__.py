"""The buyers' portal: signing in by a mailed link, what a customer may see of their own, and another payment method."""
