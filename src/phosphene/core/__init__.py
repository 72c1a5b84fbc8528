"""Looking into a network: opening it, recording it, and walking its tape backwards."""
