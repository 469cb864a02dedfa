"""Whether a corpus and a split can be trusted: integrity, duplicates, leaks."""
