"""What features are worth: the protocols by which the thesis and its peers measure transfer."""
