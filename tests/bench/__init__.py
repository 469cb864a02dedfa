"""Speed, ours beside the simple version, measured in one run: `python -m tests.bench`."""
