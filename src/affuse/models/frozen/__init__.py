"""Streams that a trained network computes once, so that fusions train on them in minutes."""
