"""Money: integers of minor units beside one currency, and the one function that makes totals."""
