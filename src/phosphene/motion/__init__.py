"""Motion: flow, where it comes from, and frames paired with it."""
