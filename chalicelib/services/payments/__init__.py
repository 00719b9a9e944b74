"""How money is moved and booked: claims, intents, outcomes."""
