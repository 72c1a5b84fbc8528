"""What is wrong with a network, said in sentences."""
