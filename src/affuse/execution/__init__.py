"""How work is carried out: executors, progress, atomic files. Beside the flow."""
