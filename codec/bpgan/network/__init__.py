"""The networks of BPGAN and the signal processing around them."""
