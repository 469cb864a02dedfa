"""What a machine with one GPU measures and verifies; see README.md."""
