"""2. Open a recording: decode sound and images, find, track and crop faces."""
