"""One machine: everything the product needs from outside, on loopback; never packaged for Lambda."""
