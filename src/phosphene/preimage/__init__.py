"""Natural pre-images: images found by descending an energy."""
