"""Losses and metrics. Beside the flow."""
