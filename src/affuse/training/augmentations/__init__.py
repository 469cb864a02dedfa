"""Random changes to what a model learns from, one module per kind of stream."""
