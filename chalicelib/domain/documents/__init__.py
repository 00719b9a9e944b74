"""The records Till keeps: frozen values that only change through their own named transitions."""
