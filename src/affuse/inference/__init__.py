"""7. Use: recordings of any length to emotions over time."""
