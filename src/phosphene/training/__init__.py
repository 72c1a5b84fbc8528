"""Training: one loop, its recipe, and what it keeps on disk."""
