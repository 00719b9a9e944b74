"""What surrounds the product: the deployment template and the whole of AWS and Stripe on one machine."""
