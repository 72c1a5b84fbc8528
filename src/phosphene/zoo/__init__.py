"""Zoo: networks by name."""
