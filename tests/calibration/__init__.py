"""Do intervals cover and tests hold their level? Simulated studies without a difference; run by hand."""
