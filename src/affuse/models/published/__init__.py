"""Published systems: the names of their weights, and what the weights do not say.

A module per system, each with
    recognises(state): whether these are weights of the system,
    describe(path, state, *, ...): the spec of the model that they belong to,
    rules(model): pairs of name prefixes (published, ours), None for any other model.
"""
