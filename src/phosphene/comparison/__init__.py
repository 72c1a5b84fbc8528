"""Networks side by side: what their units are for, and which of them answer to a picture."""
