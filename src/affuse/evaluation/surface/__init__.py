"""How good a model is on changed recordings: its score over modality and severity."""
