"""Learned inverses of a network: what it takes to get the photograph back."""
