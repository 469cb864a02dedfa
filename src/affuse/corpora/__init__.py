"""1. What clips exist: one module per corpus, protocols, synthetic look-alikes."""
