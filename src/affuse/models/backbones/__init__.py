"""Networks that turn one picture into one vector."""
