"""The clock's work: what is due, the invoices of periods, the charges without the buyer."""
