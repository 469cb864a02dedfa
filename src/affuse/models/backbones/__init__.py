"""Networks that turn one image into one vector."""
