"""How a sweep goes: who takes which part, what stands on disk, how processes tell each other."""
