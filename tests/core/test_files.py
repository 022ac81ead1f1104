"""Files of arrays: written whole or not at all, read without unpickling, and whatever is wrong with them is told."""

import pickle

import numpy as np
import pytest

from bn_teach._files import read_arrays, write_arrays

ARRAYS = {"a": np.arange(300.0), "b": np.array("a name")}


def load(path):
    return read_arrays(path, lambda arrays: {name: arrays[name] for name in ARRAYS}, "a test")


def assert_refused(path):
    with pytest.raises(ValueError, match=rf"path .* written by a test.*{path.name}.*damaged"):
        load(path)


def assert_same(loaded):
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)


@pytest.fixture
def saved(tmp_path):
    write_arrays(tmp_path / "run.npz", ARRAYS)
    return tmp_path / "run.npz"


@pytest.mark.parametrize("name", ["run", "run.npz", "run.v2", "with a space"])
@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_what_was_written_is_read_and_the_path_is_taken_literally(tmp_path, name, kind):
    write_arrays(kind(tmp_path / name), ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert_same(load(kind(tmp_path / name)))


def test_writing_again_replaces_the_file(saved):
    write_arrays(saved, {**ARRAYS, "a": np.zeros(2)})
    assert load(saved)["a"].tolist() == [0, 0]


def test_a_missing_file_or_folder_is_the_ordinary_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "run.npz")
    with pytest.raises(FileNotFoundError):
        write_arrays(tmp_path / "nowhere" / "run.npz", ARRAYS)


def test_writing_onto_a_folder_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_arrays(tmp_path / "folder", ARRAYS)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_a_disk_that_fills_up_leaves_the_old_file_and_nothing_else(saved, monkeypatch):
    def write_a_little_and_fail(file, **arrays):
        file.write(b"PK")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", write_a_little_and_fail)
    with pytest.raises(OSError, match="No space left"):
        write_arrays(saved, {})
    assert list(saved.parent.iterdir()) == [saved]
    assert_same(load(saved))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    assert_refused(saved)


def test_a_flipped_byte_is_refused_unless_it_means_nothing(saved):
    """Zip files hold bytes that nobody reads (times, attributes); any other change must be seen."""
    content, refused = saved.read_bytes(), 0
    for position in np.random.default_rng(0).integers(0, len(content), size=100):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        saved.write_bytes(damaged)
        try:
            loaded = load(saved)
        except ValueError as error:
            assert "path must name" in str(error)  # noqa: PT017 - either outcome may be right
            refused += 1
        else:
            assert_same(loaded)
    assert refused > 50


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "run.npz").write_bytes(content)
    assert_refused(tmp_path / "run.npz")


def test_foreign_arrays_are_refused(tmp_path):
    write_arrays(tmp_path / "foreign.npz", {"x": np.eye(2)})
    assert_refused(tmp_path / "foreign.npz")


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_nothing_is_ever_unpickled(saved, tmp_path):
    trace = tmp_path / "trace"
    trap = np.array([Trap(trace)], dtype=object)
    np.savez(saved, **{**ARRAYS, "a": trap})
    assert_refused(saved)
    saved.write_bytes(pickle.dumps(trap[0]))
    assert_refused(saved)
    assert not trace.exists()
    # The trap does work: whoever unpickles it leaves a trace.
    pickle.loads(pickle.dumps(trap[0])).close()
    assert trace.exists()
