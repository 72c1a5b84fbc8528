"""How features come into being during training."""
