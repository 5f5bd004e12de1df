"""Does taxonomy guidance help joint training? Asked of sprite datasets."""
