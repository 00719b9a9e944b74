"""When subscriptions bill: frequencies, epochs, periods and the grouping of lines into subscriptions."""
