"""From a package to a stack in somebody's AWS account, and back."""
