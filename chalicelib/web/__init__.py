"""Rendering: pages and mails from view values; nothing here decides anything about money."""
