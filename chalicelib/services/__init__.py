"""Use cases: functions over a request and the ports they need."""
