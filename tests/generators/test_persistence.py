"""What a saved pool of rows takes on disk."""

import numpy as np
import pytest

from engine.generators.dp_cgan.persistence import _narrow


@pytest.mark.parametrize(("highest", "lowest", "kind"), [(255, 0, np.uint8), (256, 0, np.int16), (9, -1, np.int16)])
def test_levels_take_a_byte_where_all_of_them_fit(highest: int, lowest: int, kind: type) -> None:
    levels = np.array([[lowest, highest], [3, 7]], dtype=np.int16)
    kept = _narrow(levels)
    assert kept.dtype == kind
    assert np.array_equal(kept.astype(np.int16), levels)
