"""How well classes, boxes and pixels were found, by the definitions of the benchmarks."""
