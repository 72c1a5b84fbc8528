"""Which pixels made a unit fire."""
