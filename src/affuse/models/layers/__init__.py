"""Building blocks that know which frames are present."""
