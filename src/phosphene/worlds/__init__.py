"""Worlds: pictures drawn from a seed, in which every pixel's truth is known."""
