"""Whether affuse computes what the published systems compute."""
