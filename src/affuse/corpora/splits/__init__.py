"""Split files as they circulate beside the code of published systems."""
