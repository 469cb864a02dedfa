"""What is learned and predicted: one label, a distribution of votes, or valence and arousal."""
