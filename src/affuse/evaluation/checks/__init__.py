"""Checks that a model passes or fails, with limits that are stated or simulated."""
