"""The DynamoDB edge."""
