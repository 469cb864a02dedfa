"""Front-ends: one stream to features over time, in two stages."""
