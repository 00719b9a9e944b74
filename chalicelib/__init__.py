"""Till: a commerce hub that a business runs in its own AWS account."""
