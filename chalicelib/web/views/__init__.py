"""What pages and mails are filled with: raw values only. What a person reads is written by templates and `words`."""
