"""Variables of TensorFlow's checkpoints, which an independent writer makes here.

The reader was also held against files that TensorFlow 2.21 wrote, of both formats, with the sizes
of VGGish: all 18 variables are equal.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.execution.tensorflow_writer import write_v1, write_v2

from affuse.errors import BadInput
from affuse.execution.tensorflow_files import is_tensorflow, read_variables

WRITERS = {"V1": write_v1, "V2": write_v2}
FORMATS = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def variables() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {"conv1/weights": (3, 3, 1, 4), "conv1/biases": (4,), "fc2/weights": (40, 200)}
    found = {f"vggish/{n}": random.normal(size=s).astype(np.float32) for n, s in shapes.items()}
    return found | {"vggish/scale": np.float32(2.5).reshape(()), "global_step": np.int64([7])}


@FORMATS
def test_the_numbers_of_all_variables_with_the_prefix(
    tmp_path: Path, write: Callable[[Path, dict[str, np.ndarray]], Path]
) -> None:
    path = write(tmp_path / "vggish_model.ckpt", variables())
    assert is_tensorflow(path)
    read = read_variables(path, "vggish/")
    assert read.keys() == variables().keys() - {"global_step"}
    for name, x in read.items():
        assert x.dtype == np.float32 and np.array_equal(x, variables()[name]), name
        assert x.flags.writeable
    assert read_variables(path, "other/") == {}


def test_format_v2_by_the_name_of_its_table(tmp_path: Path) -> None:
    path = write_v2(tmp_path / "x.ckpt", variables())
    index = path.with_name("x.ckpt.index")
    assert is_tensorflow(index) and len(read_variables(index, "vggish/")) == 4


@FORMATS
def test_other_numbers_than_float32_are_refused(
    tmp_path: Path, write: Callable[[Path, dict[str, np.ndarray]], Path]
) -> None:
    path = write(tmp_path / "x", {"vggish/a": np.zeros(3)})
    with pytest.raises(BadInput, match="vggish/a as numbers of type 2, not as float32"):
        read_variables(path, "vggish/")


def test_a_part_of_a_variable_is_refused(tmp_path: Path) -> None:
    part, whole = ({"vggish/a": np.zeros((n, 2), np.float32)} for n in (3, 4))
    path = write_v1(tmp_path / "x", part, told=whole)
    with pytest.raises(BadInput, match=r"holds 6 values of vggish/a, not \(4, 2\)"):
        read_variables(path, "vggish/")


@pytest.mark.parametrize("at", [20, 400, -200, -60])
def test_a_changed_byte_is_found(tmp_path: Path, at: int) -> None:
    path = write_v1(tmp_path / "x", variables())
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"x: is damaged: the checksum at byte \d+ differs"):
        read_variables(path, "vggish/")


def test_a_changed_byte_of_the_values_of_format_v2(tmp_path: Path) -> None:
    path = write_v2(tmp_path / "x", variables())
    values = tmp_path / "x.data-00000-of-00001"
    data = bytearray(values.read_bytes())
    data[-4] ^= 1
    values.write_bytes(data)
    with pytest.raises(BadInput, match="00001: is damaged: the checksum of vggish/scale differs"):
        read_variables(path, "vggish/")
    values.write_bytes(data[:-4])
    with pytest.raises(BadInput, match="ends before vggish/scale does"):
        read_variables(path, "vggish/")
    values.unlink()
    with pytest.raises(BadInput, match=r"no such file; x\.index needs it"):
        read_variables(path, "vggish/")


@FORMATS
def test_every_way_to_cut_a_file_short_is_told_in_one_line(
    tmp_path: Path, write: Callable[[Path, dict[str, np.ndarray]], Path]
) -> None:
    few = {n: x for n, x in variables().items() if x.size < 100}
    path = write(tmp_path / "x", few)
    table = path if path.is_file() else tmp_path / "x.index"
    data = table.read_bytes()
    for length in range(0, len(data), 7):
        table.write_bytes(data[:length])
        with pytest.raises(BadInput, match="not all of one"):
            read_variables(path, "vggish/")
        table.write_bytes(data[length + 1 :])  # with the footer, and nothing where it says
        with pytest.raises(BadInput):
            read_variables(path, "vggish/")


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    path = write_v1(tmp_path / "x", variables(), compression=1)
    with pytest.raises(BadInput, match="is compressed"):
        read_variables(path, "vggish/")


def test_other_files_are_none(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"\x80\x02", b"text"):
        (tmp_path / "x").write_bytes(content)
        assert not is_tensorflow(tmp_path / "x")
    assert not is_tensorflow(tmp_path) and not is_tensorflow(tmp_path / "none")
