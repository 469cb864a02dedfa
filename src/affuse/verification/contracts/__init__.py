"""What models, streams and corpora keep, as test classes to inherit; needs pytest and hypothesis.

from affuse.verification.contracts.model import ModelContract

class TestMine(ModelContract):
    name = "mine"
"""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{kind}" for kind in ("model", "stream", "corpus")))
