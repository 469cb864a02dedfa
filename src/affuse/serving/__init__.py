"""Predictions over HTTP: a queue of recordings, processes that work on them, and the routes."""
