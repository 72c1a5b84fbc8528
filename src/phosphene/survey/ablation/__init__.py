"""What a layer, or a group of units, is worth: taken out of a network, or trained without."""
