"""Linear probes: how well classes can be told apart from what each layer of a network puts out."""
