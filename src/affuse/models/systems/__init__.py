"""Published systems: a folder for each, with its models and with how its checkpoints are read.

`published.py` of a folder has the names of the published weights, and what the weights do not say:
    recognises(state): whether these are weights of the system,
    describe(path, state, *, ...): the spec of the model that they belong to,
    rules(model): pairs of name prefixes (published, ours), None for any other model,
and, where a file is no checkpoint of PyTorch,
    read(path): its entries, and where in it they were (empty where that needs no saying),
and, where a checkpoint holds more than weights,
    clean(path, state): the entries that are weights, each once and under one name,
    complete(state): the inverse: all entries that the published code expects.
"""

from affuse.registry import Entry, Registry

#: Each names the module that reads its checkpoints.
SYSTEMS: Registry[Entry] = Registry(
    "system",
    {
        "chumachenko": Entry("affuse.models.systems.chumachenko.published"),
        "avtca": Entry("affuse.models.systems.avtca.published"),
        "efficientface": Entry("affuse.models.systems.efficientface.published"),
        "auxformer": Entry("affuse.models.systems.auxformer.published"),
        "ir50": Entry("affuse.models.systems.ir50.published"),
        "vggish": Entry("affuse.models.systems.vggish.published"),
        "leader-follower": Entry("affuse.models.systems.leader_follower.published"),
        "rjca": Entry("affuse.models.systems.rjca.published"),
        "tsav": Entry("affuse.models.systems.tsav.published"),
    },
    group="affuse.systems",
    listed_by="affuse list systems",
)
