"""`phosphene serve`: a local page to drop a photograph on a network, beside an atlas's site."""
