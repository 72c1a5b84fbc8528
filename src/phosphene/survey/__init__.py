"""What every unit of a network answers to, over as many images as there are."""
