"""Sets of photographs with what is known of them, in the layouts they are published in."""
