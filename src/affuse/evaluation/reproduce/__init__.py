"""Published table rows, trained and scored again: as published, and by default."""
