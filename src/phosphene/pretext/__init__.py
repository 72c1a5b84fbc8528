"""Learning from motion: tasks that a network can be taught by frames and their flow alone."""
