"""The catalogue: what a merchant sells, for how much, taxed how, and the copies of it that stand on documents."""
