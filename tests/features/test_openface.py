from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import create_extractor

HEADER = "frame, face_id, timestamp, confidence, success, AU01_r, AU02_r, AU01_c"


def openface(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path.parent


def test_rows_per_frame_are_taken_by_time_and_failures_are_absent(tmp_path: Path) -> None:
    rows = [
        f"{k + 1}, 0, {k / 25:.3f}, 0.98, {int(k != 10)}, {k / 10:.2f}, 0.5, 1" for k in range(50)
    ]
    extractor = create_extractor("video/openface", openface(tmp_path / "clip7.csv", rows))
    stream = extractor.extract(Clip("x", video=Path("somewhere/clip7.mp4")))
    assert extractor.spec.rate == 30 and stream.values.shape[1] == 3
    assert abs(len(stream.mask) - 59) <= 1
    assert not stream.mask[12] and stream.mask.sum() == len(stream.mask) - 1
    assert stream.values[30, 0] == pytest.approx(2.5)


def test_a_part_of_a_file_starts_at_the_clip(tmp_path: Path) -> None:
    rows = [f"{k + 1}, 0, {k / 25:.3f}, 0.98, 1, {k / 10:.2f}, 0.5, 1" for k in range(50)]
    extractor = create_extractor("video/openface", openface(tmp_path / "a.csv", rows))
    stream = extractor.extract(Clip("a", start=1.0, end=1.5))
    assert stream.values[0, 0] == pytest.approx(2.5)
    assert abs(len(stream.mask) - 16) <= 1


def test_clip_means_of_the_real_table(shared_data: Path) -> None:
    root = shared_data / "ravdess_speech"
    extractor = create_extractor("video/openface", root / "openface_clip_means_and_logits.csv")
    assert extractor.spec.shape == (35,) and extractor.spec.rate == 0
    path = root / "Actor_01" / "03-01-01-01-01-01-01.flac"
    stream = extractor.extract(Clip("01-01-01-01-01-01", audio=path))
    assert stream.values.shape == (1, 35)
    np.testing.assert_allclose(stream.values[0, :3], [0.0719388, 0.0616327, 0.933673], rtol=1e-5)
    assert extractor.extract(Clip("unknown")) is None


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="--source"):
        create_extractor("video/openface")
    with pytest.raises(BadInput, match="nowhere"):
        create_extractor("video/openface", tmp_path / "nowhere")
    (tmp_path / "t.csv").write_text("id,pitch\na,1\n")
    with pytest.raises(BadInput, match="no action-unit columns"):
        create_extractor("video/openface", tmp_path / "t.csv")
