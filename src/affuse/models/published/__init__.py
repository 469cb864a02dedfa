"""Published systems: the names of their weights, and what the weights do not say.

A module per system, each with
    recognises(state): whether these are weights of the system,
    describe(path, state, *, ...): the spec of the model that they belong to,
    rules(model): pairs of name prefixes (published, ours), None for any other model,
and, where a file is no checkpoint of PyTorch,
    read(path): its entries, and where in it they were (empty where that needs no saying),
and, where a checkpoint holds more than weights,
    clean(path, state): the entries that are weights, each once and under one name,
    complete(state): the inverse: all entries that the published code expects.
"""

#: System -> its module.
SYSTEMS = {
    "chumachenko": "affuse.models.published.chumachenko",
    "avtca": "affuse.models.published.avtca",
    "efficientface": "affuse.models.published.efficientface",
    "auxformer": "affuse.models.published.auxformer",
    "ir50": "affuse.models.published.ir50",
    "vggish": "affuse.models.published.vggish",
    "leader-follower": "affuse.models.published.leader_follower",
    "rjca": "affuse.models.published.rjca",
    "tsav": "affuse.models.published.tsav",
}
