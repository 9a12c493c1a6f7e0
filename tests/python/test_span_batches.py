# SPDX-License-Identifier: MIT
"""spans(at_once=…): several chunks reserved and committed together. However the loop goes on or ends, what
it was done with is read, and its own chunk and those behind it are not."""

import array
import contextlib
import dis
import errno
import gc
import itertools
import os
import sys
import weakref

import guard
from guard import bstream


def fill(spans, count):
    """Goes on over so many chunks, b"0", b"1" and so on, and to the one behind them."""
    for span, number in zip(spans, range(count)):
        span[:] = b"%d" % number


class Loops(guard.Case):
    def rest(self, reader):
        """What is there to be read."""
        got = []
        with contextlib.suppress(BlockingIOError):
            while True:
                chunk = reader.read(0)
                if chunk is None:
                    break
                got.append(chunk)
        return got

    def test_chunks_of_every_size_come_in_order(self):
        for size in (0, 1, 8, 48, 49, 256, 257, 1025, 4096, 5000):
            for at_once in (2, 3, 7, 1000):
                with self.subTest(size=size, at_once=at_once):
                    writer, reader = self.pair(capacity=3, chunk_max=5000)
                    got = []
                    spans = writer.spans(size, 0, at_once=at_once)
                    for number in range(50):
                        try:
                            span = next(spans)
                        except BlockingIOError:
                            got += self.rest(reader)
                            spans = writer.spans(size, 0, at_once=at_once)
                            span = next(spans)
                        self.assertEqual((len(span), span.readonly), (size, False))
                        span[:] = guard.chunk(number, size)
                    writer.commit()
                    got += self.rest(reader)
                    self.assertEqual(got, [guard.chunk(number, size) for number in range(50)])

    def test_they_are_committed_together_and_as_many_as_there_is_room_for(self):
        writer, reader = self.pair(capacity=8)
        spans = writer.spans(1, at_once=5)
        for number in range(5):
            next(spans)[:] = b"%d" % number
            self.assertEqual(self.rest(reader), [])
        next(spans)[:] = b"5"
        self.assertEqual(self.rest(reader), [b"0", b"1", b"2", b"3", b"4"])
        next(spans)[:] = b"6"
        next(spans)[:] = b"7"
        next(spans)[:] = b"8"  # there was room for three when the five were written
        self.assertEqual(self.rest(reader), [b"5", b"6", b"7"])
        spans.close()
        self.assertEqual(self.rest(reader), [])

    def test_a_number_that_cannot_be(self):
        writer, _ = self.pair(chunk_max=100)
        for wrong in (0, -1):
            with self.assertRaises(ValueError):
                writer.spans(1, at_once=wrong)
        for wrong in (-1, 2**31, 2**64):
            with self.assertRaises(bstream.ChunkSizeError):
                writer.spans(wrong, at_once=2)
        with self.assertRaises(bstream.ChunkSizeError):
            next(writer.spans(101, at_once=2))
        for size, at_once in (("4", 2), (4.5, 2), (4, 2.5), (4, "2")):
            with self.assertRaises(TypeError):
                next(writer.spans(size, at_once=at_once))
        writer.write(b"nothing is reserved")

    def left(self, how, at_once=6):
        """What is read of a loop that did `how` in its third round."""
        writer, reader = self.pair(capacity=6)

        def loop():
            for number, span in enumerate(writer.spans(1, at_once=at_once)):
                span[:] = b"%d" % number
                if number == 2:
                    how(writer)
                    break

        with contextlib.suppress(KeyError):
            loop()
        got = self.rest(reader)
        if not writer.closed:
            writer.write(b"next", 0)  # nothing is reserved any more
        return got + self.rest(reader)

    @staticmethod
    def fail(writer=None):
        raise KeyError

    def test_a_loop_that_is_left_has_written_what_it_was_done_with(self):
        for at_once in (2, 3, 6, 100):
            with self.subTest(at_once=at_once):
                done = [b"0", b"1"]
                self.assertEqual(self.left(lambda writer: None, at_once), done + [b"next"])
                self.assertEqual(self.left(self.fail, at_once), done + [b"next"])
                self.assertEqual(self.left(lambda writer: writer.cancel(), at_once), done + [b"next"])
                self.assertEqual(self.left(lambda writer: writer.commit(), at_once), done + [b"2", b"next"])
                self.assertEqual(self.left(lambda writer: writer.commit(0), at_once), done + [b"", b"next"])
                self.assertEqual(self.left(lambda writer: writer.close(), at_once), done)
        for leave in (lambda spans: spans.close(), lambda spans: None):
            writer, reader = self.pair()
            spans = writer.spans(1, at_once=4)
            fill(spans, 2)
            leave(spans)
            del spans
            self.assertEqual(self.rest(reader), [b"0", b"1"])
            writer.write(b"next")

    def test_a_with_block_that_fails_aborts_behind_what_was_done(self):
        for slices in False, True:
            writer, reader = self.pair()
            spans = writer.spans(1, at_once=8)  # kept, and does not keep the end
            with self.assertRaises(KeyError), writer:
                for span, number in zip(spans, range(5)):
                    span[:] = b"%d" % number
                    part = span[:] if slices else None
                    if number == 3:
                        raise KeyError
            self.assertTrue(writer.closed)
            del part
            gc.collect()
            self.assertEqual([reader.read() for _ in range(3)], [b"0", b"1", b"2"])
            with self.assertRaises(bstream.WriterDiedError):
                reader.read()

    def test_the_body_may_cut_a_chunk_or_give_it_up(self):
        writer, reader = self.pair(capacity=64)  # what is cancelled takes room until the reader passes it
        for number, span in enumerate(writer.spans(5, 0, at_once=4)):
            span[:] = b"0123%d" % number
            if number in (1, 7):
                writer.commit(2)
            elif number == 2:
                writer.cancel()
            elif number == 3:
                with self.raises_errno(errno.EINVAL):
                    writer.commit(6)
                with self.raises_errno(errno.EINVAL):
                    writer.commit(-1)
            elif number == 5:
                writer.commit()
            elif number == 8:
                break
        writer.close()
        self.assertEqual(list(reader), [b"01230", b"01", b"01233", b"01234", b"01235", b"01236", b"01"])

    def test_its_memory_ends_with_the_batch(self):
        for over in (next, lambda spans: spans.close(), lambda spans: writer.commit()):
            writer, reader = self.pair()
            spans = writer.spans(4, at_once=2)
            first, second = next(spans), next(spans)
            first[:], second[:] = b"good", b"well"
            over(spans)
            for view in first, second:
                for gone in (lambda: view[0], lambda: bytes(view), lambda: view[1:]):
                    with self.assertRaises(ValueError):
                        gone()

    def test_empty_chunks_have_memory_that_ends_too(self):
        writer, reader = self.pair(capacity=2)
        spans = writer.spans(0, at_once=2)
        views = [next(spans), next(spans)]
        part = views[0][:]
        with self.assertRaises(BufferError):
            writer.commit()
        del part
        writer.commit()
        for view in views:
            with self.assertRaises(ValueError):
                len(view)
        self.assertEqual(self.rest(reader), [b"", b""])


def parts(span):
    return [span[:], span.cast("H"), memoryview(span), (array.array, memoryview(span))]


class Slices(guard.Case):
    def test_a_slice_stops_the_loop_at_the_end_of_the_batch(self):
        for which in range(len(parts(memoryview(bytes(2))))):
            for at in 0, 2:
                writer, reader = self.pair()
                spans = writer.spans(2, at_once=3)
                for number in range(3):
                    span = next(spans)
                    span[:] = b"0%d" % number
                    if number == at:
                        part = parts(span)[which]
                with self.assertRaises(BufferError):
                    next(spans)
                with self.assertRaises(StopIteration):
                    next(spans)
                for end in (writer.commit, writer.cancel, writer.close):
                    with self.assertRaises(BufferError):
                        end()
                with self.raises_errno(errno.EBUSY):
                    writer.write(b"x")
                with self.assertRaises(BlockingIOError):
                    reader.read(0)
                del part, span
                gc.collect()
                writer.commit()
                self.assertEqual([reader.read(0) for _ in range(3)], [b"00", b"01", b"02"])

    def test_a_slice_that_outlives_the_loop_leaves_the_rest_to_another_call(self):
        for end, written in (("commit", 3), ("cancel", 2), ("close", 2)):
            writer, reader = self.pair()
            for span, number in zip(writer.spans(1, at_once=6), range(3)):
                span[:] = b"%d" % number
                part = span[:]
                if number == 2:
                    break
            with self.assertRaises(bstream.BusyError):
                writer.write(b"x")
            self.assertEqual(bytes(part), b"2")
            del part, span
            gc.collect()
            getattr(writer, end)()
            writer.close()
            self.assertEqual(list(reader), [b"0", b"1", b"2"][:written])

    def test_a_body_that_is_refused_goes_on_with_nothing_undefined(self):
        writer, reader = self.pair()
        spans = writer.spans(2, at_once=4)
        next(spans)[:] = b"00"
        span = next(spans)
        span[:] = b"11"
        part = span[1:]
        for refused in (lambda: writer.commit(1), writer.cancel, writer.commit):
            with self.assertRaises(BufferError):
                refused()
        del part
        next(spans)[:] = b"22"  # in another batch: of the first nothing more was given
        self.assertEqual([reader.read(0), reader.read(0)], [b"00", b"11"])
        writer.commit()
        self.assertEqual(reader.read(0), b"22")

    def test_an_end_that_is_forgotten_has_written_what_was_done(self):
        for keep in False, True:
            writer, reader = bstream.pair()
            spans = writer.spans(1, at_once=4)
            fill(spans, 2)
            kept = next(spans)[:] if keep else None
            self.assertEqual(kept is not None, keep)
            alive = weakref.ref(writer)
            gc.disable()  # no cycle may keep the end
            try:
                with self.assertWarns(ResourceWarning):
                    del writer, spans
                self.assertIsNone(alive())
                del kept
                done = [b"0", b"1", bytes(1)][: 2 + keep]
                self.assertEqual([reader.read(0) for _ in done][:2], done[:2])
            finally:
                gc.enable()
            with self.assertRaises(bstream.WriterDiedError):
                reader.read(0)
            reader.close()

    def test_addresses_that_were_forgotten_again(self):
        from bstream import _lend

        writer, reader = self.pair(capacity=64)
        limit, _lend._CUT_MAX = _lend._CUT_MAX, 20
        try:
            for size in range(1, 90):
                for span, number in zip(writer.spans(size, 0, at_once=1 + size % 9), range(20)):
                    span[:] = guard.chunk(number, size)
                for view, number in zip(reader.views(0, at_once=1 + size % 7), range(20)):
                    self.assertEqual(view, guard.chunk(number, size))
                    if number == 19:
                        reader.release()
                        break
        finally:
            _lend._CUT_MAX = limit


AFTER = "CALL", "RESUME", "JUMP_BACK", "JUMP_ABS"  # the signal handlers are run


class Interrupted(guard.Case):
    """Ctrl-C at each place in the module where the interpreter runs signal handlers: where a function is
    entered or gone on with, behind a call, where a loop begins anew."""

    def at(self, place, loop):
        """The loop with Ctrl-C at that place, of 1 and so on; whether there was one so far on. At 0 there is
        none, which Python 3.12 needs once to find places at all."""
        left, before = [place], {}  # of frames, what they did last

        def opcodes(frame, event, _):
            if event == "opcode":
                last = before.get(id(frame), "")
                before[id(frame)] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
                if last.startswith(AFTER) and last != "CALL_FINALLY":
                    left[0] -= 1
                    if left[0] == 0:
                        raise KeyboardInterrupt
            elif event == "return":
                before.pop(id(frame), None)
            return opcodes

        def calls(frame, event, _):
            if os.path.dirname(frame.f_code.co_filename) != os.path.dirname(bstream.__file__):
                return None
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
            return opcodes

        hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None  # when a loop is dropped
        sys.settrace(calls)
        try:
            loop()
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
            sys.unraisablehook = hook
        return left[0] <= 0

    def places(self, body, at_once):
        """A loop that does this in its body, with what it wrote checked: interrupted everywhere in turns."""
        for place in itertools.count():
            writer, reader = bstream.pair(capacity=64)
            sizes = []

            def loop(writer=writer, sizes=sizes):
                for span, number in zip(writer.spans(2, 0, at_once=at_once), range(8)):
                    span[:] = b"%02d" % number
                    sizes.append(2)
                    if body(writer, number, sizes) == "break":
                        break

            interrupted = self.at(place, loop)
            if place % 2:
                writer.write(b"next", 0)  # nothing is reserved any more
            writer.close()
            got = [chunk for chunk in reader if chunk != b"next"]
            reader.close()
            expected = [b"%02d" % number for number in range(len(sizes))]
            done = len(expected) - 1  # and its own, if it was just being written
            self.assertIn(len(got), (max(done, 0), done + 1), place)
            self.assertEqual([chunk[:1] for chunk in got], [chunk[:1] for chunk in expected][: len(got)])
            self.assertTrue(all(len(chunk) == 2 for chunk in got[: done - 1]) or 1 in sizes, place)
            if not interrupted:
                self.assertGreater(place, 10)
                return

    def test_a_loop_that_goes_on(self):
        for at_once in (1, 3):
            self.places(lambda writer, number, sizes: None, at_once)

    def test_a_loop_that_is_left(self):
        for at_once in (1, 4):
            self.places(lambda writer, number, sizes: "break" if number == 2 else None, at_once)

    def test_a_body_that_commits(self):
        def body(writer, number, sizes):
            if number in (1, 4):
                sizes[number] = 1
                writer.commit(1)

        for at_once in (1, 3):
            self.places(body, at_once)

    def test_a_loop_that_reads_loses_nothing(self):
        expected = [b"%d" % number for number in range(8)]
        for at_once in (1, 3):
            for place in itertools.count():
                writer, reader = bstream.pair(capacity=8)
                writer.write_split(b"".join(expected), 1)
                writer.close()
                got = []

                def loop(reader=reader, got=got, at_once=at_once):
                    for view in reader.views(0, at_once=at_once):
                        got.append(bytes(view))

                interrupted = self.at(place, loop)
                rest = list(reader)
                reader.close()
                self.assertEqual(got, expected[: len(got)])
                self.assertEqual(rest, expected[8 - len(rest) :])
                self.assertGreaterEqual(len(got) + len(rest), 8, place)
                if not interrupted:
                    break


if __name__ == "__main__":
    guard.main()
