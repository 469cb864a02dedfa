"""EfficientFace: Zhao, Liu and Zhou, AAAI 2021."""
