"""The DynamoDB edge: records, events and timers in three tables, written in conditional transactions."""
