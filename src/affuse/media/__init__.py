"""2. Open a recording: decode sound and pictures, find, track and crop faces."""
