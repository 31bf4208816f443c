"""Arabic with Latin digits, as our pages have it: a decimal point (CLDR, `ar`); the Maghreb has a comma."""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
