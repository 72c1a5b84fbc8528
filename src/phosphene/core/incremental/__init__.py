"""Running a network again where its input has changed in windows, and only there."""
