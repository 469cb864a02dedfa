"""What a prediction rests on: the sound or the images, which moments, which parts of a frame."""
