"""Bytes that were put are there afterwards, wherever they are kept, and what is gone says so."""

import hashlib
import threading
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest

from tests.places import damage, in_place, is_in_place, throw_away, trash
from tests.threads import at_once
from tickets import blobs
from tickets.blob_places import place

pytestmark = pytest.mark.usefixtures("anywhere")


def test_put_names_bytes_by_their_hash_and_twice_is_once() -> None:
    content = b"\0bytes" * 1000
    name = blobs.put(content)
    assert name == blobs.put(content) == hashlib.sha256(content).hexdigest()
    assert blobs.read(name) == content
    assert blobs.exists(name)
    assert list(place().names()) == [name]
    assert in_place(name).size == len(content)


def test_put_mends_a_damaged_blob() -> None:
    name = blobs.put(b"whole")
    damage(in_place(name), b"who")
    assert blobs.read(name) == b"who"
    blobs.put(b"whole")
    assert blobs.read(name) == b"whole"


def test_pieces_are_one_blob_once_they_are_finished_and_nothing_before() -> None:
    with blobs.BlobWriter() as writer:
        writer.write(b"first ")
        writer.write(memoryview(b"second"))
        assert not list(place().names())
        name = writer.finish()
    assert (blobs.read(name), writer.size) == (b"first second", 12)
    with pytest.raises(RuntimeError), blobs.BlobWriter() as writer:
        writer.write(b"half")
        raise RuntimeError
    assert list(place().names()) == [name]


def test_a_file_is_copied_and_stays(tmp_path: Path) -> None:
    mail = tmp_path / "mail"
    mail.write_bytes(bytes(range(256)) * 41_000)
    name = blobs.put_file(mail)
    assert blobs.read(name) == mail.read_bytes()
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "nothing")
    assert list(place().names()) == [name]


def test_put_many_keeps_the_order() -> None:
    contents = [b"a", b"b", b"a", b"", *(b"%d" % number for number in range(30))]
    names = blobs.put_many(contents)
    assert [blobs.read(name) for name in names] == contents
    # Wherever a list of them begins, it goes round.
    assert all(sorted(place().names()) == sorted(set(names)) for _ in range(5))
    assert blobs.put_many(iter([b"one"])) == [hashlib.sha256(b"one").hexdigest()]
    assert blobs.put_many([]) == []


def test_an_open_blob_can_be_mapped_and_sought() -> None:
    name = blobs.put(b"0123456789" * 1000)
    with blobs.open_blob(name) as stream:
        assert mmap(stream.fileno(), 0, access=ACCESS_READ)[9_990:] == b"0123456789"
        assert stream.seek(0, 2) == 10_000
        stream.seek(5)
        assert stream.read(3) == b"567"


def test_what_is_expected_is_read_as_if_it_were_not() -> None:
    names = blobs.put_many([b"%d" % number for number in range(20)])
    missing = hashlib.sha256(b"never put").hexdigest()
    throw_away(names[3])
    for _ in range(2):
        blobs.expect([*names, missing])
        assert [blobs.read(name) for name in names[:15]] == [b"%d" % number for number in range(15)]
        with pytest.raises(blobs.BlobMissing):
            blobs.open_blob(missing)
    # Read twice, and by another thread than the one that expected it.
    assert blobs.read(names[0]) == b"0"
    assert at_once(lambda: blobs.read(names[19]), lambda: blobs.read(names[19])) == [b"19", b"19"]
    blobs.expect([])


def test_what_is_in_the_trash_is_put_back_by_a_reader() -> None:
    name = blobs.put(b"still wanted")
    throw_away(name)
    assert trash() == [name]
    assert list(place().names()) == []

    assert blobs.exists(name)
    with blobs.open_blob(name) as stream:
        assert stream.read() == b"still wanted"
    assert is_in_place(name)
    assert trash() == []


def test_of_many_readers_of_one_blob_in_the_trash_all_get_it() -> None:
    for number in range(20):
        name = blobs.put(b"%d" % number)
        throw_away(name)
        assert at_once(*[lambda name=name: blobs.read(name)] * 4) == [b"%d" % number] * 4


def test_a_missing_blob_says_so() -> None:
    name = hashlib.sha256(b"never put").hexdigest()
    assert not blobs.exists(name)
    with pytest.raises(blobs.BlobMissing, match=name[:12]):
        blobs.open_blob(name)


def test_many_may_put_and_read_the_same_at_once() -> None:
    content = b"x" * 50_000
    name = blobs.put(content)
    stop = threading.Event()

    def write() -> None:
        for _ in range(50):
            blobs.put(content)
        stop.set()

    def read() -> None:
        while not stop.is_set():
            assert blobs.read(name) == content

    at_once(write, read)
    assert list(place().names()) == [name]
