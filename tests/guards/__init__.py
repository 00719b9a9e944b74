"""Each guard of the money paths is taken out, one at a time, in a copy: a named test must then go red."""
