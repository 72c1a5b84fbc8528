"""The site of a whole network: what each of its units answers to, to be browsed from a file."""
