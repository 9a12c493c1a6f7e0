# SPDX-License-Identifier: MIT
"""Several chunks at once: views(at_once=…) and write_split; what is given back when, and what of it
comes again when a loop is left in the middle."""

import array
import gc
import threading

import guard
from guard import bstream

SIZES = [0, 1, 8, 48, 49, 256, 257, 1024, 1025, 4096, 4097, 5000]


def chunks_read(reader):
    return reader.stat().chunks_read


class Views(guard.Case):
    def full(self, count=4, **options):
        """A stream with this many chunks in it, b"0", b"1" and so on; its writer is closed."""
        writer, reader = self.pair(capacity=count, **options)
        for number in range(count):
            writer.write(b"%d" % number)
        writer.close()
        return reader

    def test_chunks_of_every_size_come_in_order(self):
        for at_once in (1, 2, 3, 7, 8, 1000):
            with self.subTest(at_once=at_once):
                writer, reader = self.pair(capacity=7, chunk_max=5000)
                views = reader.views(0, at_once=at_once)
                written = read = 0
                for _ in range(40):
                    try:
                        while True:
                            writer.write(guard.chunk(written, SIZES[written % 12]), 0)
                            written += 1
                    except BlockingIOError:
                        pass
                    while read < written:
                        view = next(views)
                        self.assertTrue(view.readonly)
                        self.assertEqual(bytes(view), guard.chunk(read, SIZES[read % 12]))
                        read += 1
                    with self.assertRaises(BlockingIOError):
                        next(views)
                    views = reader.views(0, at_once=at_once)
                self.assertEqual(chunks_read(reader), written)

    def test_the_end_of_the_stream_ends_the_loop(self):
        reader = self.full()
        self.assertEqual([bytes(view) for view in reader.views(at_once=3)], [b"0", b"1", b"2", b"3"])
        self.assertEqual(list(reader.views(at_once=3)), [])
        writer, reader = self.pair()
        writer.write(b"part")
        writer.abort()
        got = []
        with self.assertRaises(bstream.WriterDiedError):
            for view in reader.views(at_once=8):
                got.append(bytes(view))
        self.assertEqual(got, [b"part"])

    def test_nothing_is_no_number_of_chunks(self):
        _, reader = self.pair()
        for wrong in (0, -1):
            with self.assertRaises(ValueError):
                reader.views(at_once=wrong)

    def test_writers_get_a_batch_back_together_and_one_by_one_without(self):
        writer, reader = self.pair(capacity=3)
        for at_once, room in ((1, 2), (3, 0)):
            for number in range(3):
                writer.write(b"%d" % number)
            views = reader.views(0, at_once=at_once)
            got = [bytes(next(views)) for _ in range(3)]
            self.assertEqual(got, [b"0", b"1", b"2"])
            self.assertEqual(3 - reader.stat().in_flight, room)
            with self.assertRaises(BlockingIOError):
                next(views)
            self.assertEqual(reader.stat().in_flight, 0)

    def test_a_view_is_good_until_its_batch_is_over(self):
        reader = self.full()
        views = reader.views(at_once=2)
        first, second = next(views), next(views)
        self.assertEqual((bytes(first), bytes(second)), (b"0", b"1"))
        next(views)
        for gone in first, second:
            with self.assertRaises(ValueError):
                bytes(gone)

    def left(self, how, at_once, slices=False):
        """What comes after a loop that did `how` at its third chunk, and how many had been given back
        by then."""
        reader = self.full(6)
        kept = None
        try:
            for number, view in enumerate(reader.views(at_once=at_once)):
                if slices:
                    kept = view[:1]
                if number == 2:
                    how(reader)
                    break
        except KeyError:
            pass
        given_back = chunks_read(reader)
        del kept
        gc.collect()
        return given_back, reader.read()

    @staticmethod
    def fail(reader=None):
        raise KeyError

    def test_a_loop_that_is_left_gives_back_what_it_is_done_with_and_no_more(self):
        for at_once in (1, 2, 3, 4, 6, 100):
            with self.subTest(at_once=at_once):
                self.assertEqual(self.left(self.fail, at_once), (2, b"2"))
                self.assertEqual(self.left(lambda reader: None, at_once), (2, b"2"))
                self.assertEqual(self.left(lambda reader: reader.release(), at_once), (3, b"3"))

    def test_a_slice_that_outlives_the_loop_delays_that(self):
        given_back, following = self.left(self.fail, 6, slices=True)
        self.assertEqual(given_back, 0)
        self.assertEqual(following, b"2")

    def test_release_behind_a_loop_that_was_left_gives_its_chunk_back(self):
        reader = self.full()
        for view in reader.views(at_once=4):
            if view == b"1":
                break
        reader.release()
        self.assertEqual(reader.read(), b"2")

    def test_a_kept_slice_stops_the_loop_at_the_end_of_the_batch(self):
        reader = self.full(6)
        kept, got = [], []
        with self.assertRaises(BufferError):
            for view in reader.views(at_once=4):
                got.append(bytes(view))
                if len(got) == 2:
                    kept.append(view[:])
        self.assertEqual(got, [b"0", b"1", b"2", b"3"])
        self.assertEqual(chunks_read(reader), 0)
        with self.assertRaises(BufferError):
            reader.close()
        self.assertEqual(bytes(kept[0]), b"1")
        kept.clear()
        self.assertEqual(reader.read(), b"3")  # as the chunk at which any loop fails

    def test_the_body_may_read_peek_and_release(self):
        reader = self.full(6)
        got = []
        for view in reader.views(at_once=6):
            got.append(bytes(view))
            if got[-1] == b"1":
                self.assertEqual(reader.peek(), b"1")
                self.assertEqual(reader.read(), b"1")
            elif got[-1] == b"3":
                self.assertEqual(reader.lent, b"3")
                reader.release()
                with self.assertRaises(ValueError):
                    bytes(view)
                self.assertEqual(chunks_read(reader), 4)
                self.assertEqual(reader.read(), b"4")
        self.assertEqual(got, [b"0", b"1", b"2", b"3", b"5"])
        self.assertEqual(chunks_read(reader), 6)

    def test_two_loops_go_on_where_the_other_was(self):
        reader = self.full(6)
        one, two = reader.views(at_once=3), reader.views(at_once=2)
        self.assertEqual(bytes(next(one)), b"0")
        self.assertEqual(bytes(next(two)), b"0")  # it was not given back
        self.assertEqual(bytes(next(two)), b"1")
        self.assertEqual(bytes(next(one)), b"1")
        self.assertEqual([bytes(view) for view in one], [b"2", b"3", b"4", b"5"])
        self.assertEqual(list(two), [])

    def test_the_body_may_close_and_move_the_reader(self):
        for at_once in (1, 4):
            reader = self.full()
            for view in reader.views(at_once=at_once):
                if view == b"1":
                    fd = reader.detach()
                    break
            with bstream.Reader.attach(fd) as reader:
                self.assertEqual(list(reader), [b"1", b"2", b"3"])
            reader = self.full()
            views = reader.views(at_once=at_once)
            next(views)
            reader.close()
            with self.assertRaises(ValueError):
                next(views)

    def test_a_reader_that_fails_leaves_its_chunk_to_the_next_one(self):
        bstream.create("kept", keep="reader")
        with bstream.Writer("kept") as writer:
            writer.write_split(b"012345", 1)
            with self.assertRaises(KeyError), bstream.Reader("kept") as reader:
                for view in reader.views(at_once=6):
                    if view == b"3":
                        self.fail()
        with bstream.Reader("kept") as reader:
            self.assertEqual(list(reader), [b"3", b"4", b"5"])

    def test_a_slice_that_outlives_the_reader_delays_that_too(self):
        bstream.create("kept", keep="reader")
        with bstream.Writer("kept") as writer:
            writer.write_split(b"012345", 1)
            with self.assertRaises(KeyError), bstream.Reader("kept") as reader:
                for view in reader.views(at_once=6):
                    part = view[:]
                    if part == b"3":
                        self.fail()
        self.assertEqual(bytes(part), b"3")
        del part, view
        gc.collect()
        with bstream.Reader("kept") as reader:
            self.assertEqual(list(reader), [b"3", b"4", b"5"])

    def test_a_body_that_may_not_release_goes_on_with_the_next_batch(self):
        reader = self.full(6)
        views = reader.views(at_once=4)
        kept = [next(views), next(views)[:]]
        with self.assertRaises(BufferError):
            reader.release()
        kept.clear()
        self.assertEqual([bytes(view) for view in views], [b"2", b"3", b"4", b"5"])

    def test_a_forgotten_loop_holds_up_nothing(self):
        reader = self.full()
        views = reader.views(at_once=4)
        next(views)
        next(views)
        del views
        gc.collect()
        self.assertEqual(chunks_read(reader), 1)
        self.assertEqual(list(reader), [b"1", b"2", b"3"])

    def test_an_end_that_is_forgotten_keeps_its_memory_for_a_slice(self):
        writer, reader = bstream.pair()
        writer.write(b"still there")
        views = reader.views(at_once=2)
        kept = next(views)[6:]
        writer.close()
        with self.assertWarns(ResourceWarning):
            del reader, views
            gc.collect()
        self.assertEqual(bytes(kept), b"there")
        del kept
        gc.collect()

    def test_a_child_of_fork_does_not_crash_on_its_parents_views(self):
        text = """
w, r = bstream.pair()
w.write_split(b"x" * 5001, 5000)
views = r.views(at_once=2)
view = next(views)
kept = view[:3]
if os.fork() == 0:
    bytes(kept), len(kept)
    try:
        next(views), next(views)
    except (bstream.StaleError, ValueError, BufferError):
        os._exit(0)
    os._exit(1)
print(os.wait()[1], bytes(kept))
del kept, view
w.close(), r.close()
"""
        self.assertEqual(self.said(self.python(text)), "0 b'xxx'")


class Split(guard.Case):
    def test_as_many_as_there_is_room_for(self):
        writer, reader = self.pair(capacity=3)
        for timeout in (0, 0.01):
            self.assertEqual(writer.write_split(b"112233445", 2, timeout), 3)
            with self.assertRaises(BlockingIOError if timeout == 0 else TimeoutError):
                writer.write_split(b"4", 2, timeout)
            self.assertEqual([reader.read(0) for _ in range(3)], [b"11", b"22", b"33"])

    def test_what_is_refused_is_refused_whole(self):
        writer, reader = self.pair(chunk_max=4)
        with self.assertRaises(bstream.ChunkSizeError):
            writer.write_split(b"123456", 5)
        with self.assertRaises(TypeError):
            writer.write_split("text", 1)
        with self.assertRaises(ValueError):
            writer.write_split(b"12", 0)
        with self.assertRaises(BlockingIOError):
            reader.read(0)
        writer.reserve(1)
        with self.assertRaises(bstream.BusyError):
            writer.write_split(b"1", 1)
        writer.cancel()
        reader.close()
        with self.assertRaises(BrokenPipeError):
            writer.write_split(b"1", 1)
        writer.close()
        with self.assertRaises(ValueError):
            writer.write_split(b"1", 1)

    def test_a_buffer_is_split_into_chunks(self):
        writer, reader = self.pair(capacity=8)
        again = bytearray(b"aabbc")
        for data in (b"aabbc", again, array.array("b", b"aabbc"), memoryview(b"a-a-b-b-c")[::2]):
            self.assertEqual(writer.write_split(data, 2), 3)
            self.assertEqual([reader.read() for _ in range(3)], [b"aa", b"bb", b"c"])
        again[:] = b"xxyyzz"
        self.assertEqual(writer.write_split(again, 2), 3)
        again[:] = b"XXYYZZ"
        self.assertEqual(writer.write_split(again, 2), 3)
        self.assertEqual(writer.write_split(b"", 2), 0)
        writer.close()
        self.assertEqual(list(reader), [b"xx", b"yy", b"zz", b"XX", b"YY", b"ZZ"])

    def test_more_than_fits_waits_for_the_reader(self):
        for size in (8, 3000):
            writer, reader = self.pair(capacity=5)
            got = []

            def read(reader=reader, got=got):
                got.extend(bytes(view) for view in reader.views(at_once=3))

            thread = threading.Thread(target=read)
            thread.start()
            parts = [guard.chunk(number, size) for number in range(600)]
            self.assertEqual(writer.write_split(b"".join(parts), size), 600)
            self.assertEqual(writer.write_split(bytes(5000), 1), 5000)
            writer.close()
            thread.join()
            self.assertEqual(len(got), 5600)
            self.assertEqual(got[:600], parts)


class Peers(guard.Case):
    def test_batches_from_c(self):
        for size in (0, 8, 100, 4096):
            with self.subTest(size=size):
                bstream.create("from-c")
                self.peer("write", "name:from-c", 3000, size)
                number = 0
                with bstream.Reader("from-c") as reader:
                    for view in reader.views(guard.PATIENCE, at_once=1 + size % 11):
                        self.assertEqual(view, guard.chunk(number, size))
                        number += 1
                self.assertEqual(number, 3000)

    def test_batches_to_c(self):
        for size in (8, 100, 4096):
            with self.subTest(size=size):
                bstream.create("to-c")
                peer = self.peer("read", "name:to-c")
                parts = [guard.chunk(number, size) for number in range(3000)]
                with bstream.Writer("to-c") as writer:
                    data = bytearray().join(parts[:2990])
                    self.assertEqual(writer.write_split(data, size, guard.PATIENCE), 2990)
                    for first in (2990, 2995):  # from the same place
                        data[: 5 * size] = b"".join(parts[first : first + 5])
                        part = memoryview(data)[: 5 * size]
                        self.assertEqual(writer.write_split(part, size, guard.PATIENCE), 5)
                self.assertEqual(self.said(peer).split()[:3], ["3000", str(3000 * size), "closed"])


if __name__ == "__main__":
    guard.main()
