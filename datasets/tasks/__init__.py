"""How a photograph becomes a case: one module per task."""
