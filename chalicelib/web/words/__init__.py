"""The words that code, not a template, chooses; sentences are whole, so that a catalogue can translate them."""

from __future__ import annotations

from chalicelib.web.words.declines import decline_words, too_many_tries_words
from chalicelib.web.words.schedule import CONSENT_VERSION, also_owed_text, consent_text
from chalicelib.web.words.states import state_status, state_words

__all__ = [
    "CONSENT_VERSION",
    "also_owed_text",
    "consent_text",
    "decline_words",
    "state_status",
    "state_words",
    "too_many_tries_words",
]
