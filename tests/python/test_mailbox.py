# SPDX-License-Identifier: MIT
"""Mailboxes: notes, and read ends that come with them, between Pythons and with C."""

import errno
import os
import threading
import unittest

import guard
from guard import bstream


class Mailboxes(guard.Case):
    def test_notes_arrive_in_order_with_their_sender(self):
        with bstream.Mailbox("box") as mailbox:
            bstream.wait("box", "mailbox", guard.PATIENCE)
            for note in (b"one", b"", bytearray(b"nul\0inside"), bytes(4096)):
                bstream.send("box", note)
            got = [mailbox.recv() for _ in range(4)]
            self.assertEqual([m.note for m in got], [b"one", b"", b"nul\0inside", bytes(4096)])
            self.assertEqual({(m.reader, m.pid, m.uid) for m in got}, {(None, os.getpid(), os.getuid())})
            with self.raises_errno(errno.EAGAIN, BlockingIOError):
                mailbox.recv(0)
            with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
                mailbox.recv(0.3)  # longer than a slice
            with self.raises_errno(errno.EMSGSIZE, bstream.ChunkSizeError):
                bstream.send("box", bytes(4097))
            with self.raises_errno(errno.EADDRINUSE):
                bstream.Mailbox("box")
            self.assertEqual(repr(mailbox), "Mailbox(box, open)")
        self.assertEqual(repr(mailbox), "Mailbox(box, closed)")
        mailbox.close()
        for call in (mailbox.recv, mailbox.fileno):
            with self.assertRaisesRegex(ValueError, "closed Mailbox"):
                call()
        with self.raises_errno(errno.ENOENT, FileNotFoundError):
            bstream.send("box")
        with self.assertRaises(TypeError):
            bstream.send("box", "text")

    def test_a_mode_and_a_group_are_told(self):
        for mode, gid in ((-1, 0), (0o600, 2**32), (0o10000, 0)):
            with self.raises_errno(errno.EINVAL):
                bstream.Mailbox("box", mode=mode, gid=gid)
        with bstream.Mailbox("box", mode=0o622, gid=os.getgid()) as mailbox:
            bstream.send("box", b"from its owner")
            self.assertEqual(mailbox.recv().note, b"from its owner")

    def test_a_read_end_goes_with_a_note(self):
        writer, reader = bstream.pair()
        with self.raises_errno(errno.ENOENT):
            bstream.send("box", b"x", reader)
        self.assertFalse(reader.closed)
        with bstream.Mailbox("box") as mailbox:
            writer.write(b"in flight")
            self.assertEqual(bytes(reader.peek()), b"in flight")
            bstream.send("box", b"take it", reader)
            self.assertTrue(reader.closed)
            message = mailbox.recv(guard.PATIENCE)
            self.assertEqual(message.note, b"take it")
            with message.reader:
                writer.write(b"after")
                writer.close()
                self.assertEqual(list(message.reader), [b"in flight", b"after"])

    def test_what_was_not_received_breaks(self):
        mailbox = bstream.Mailbox("box")
        writer = bstream.connect("box", b"hello", guard.PATIENCE, capacity=2)
        mailbox.close()
        with writer, self.raises_errno(errno.EPIPE, BrokenPipeError):
            while True:
                writer.write(b"x", guard.PATIENCE)

    def test_a_forgotten_mailbox_frees_its_name(self):
        mailbox = bstream.Mailbox("box")
        with self.assertWarns(ResourceWarning):
            del mailbox
        bstream.Mailbox("box").close()

    def test_a_full_mailbox_says_so_or_waits(self):
        with bstream.Mailbox("box") as mailbox:
            sent = 0
            with self.raises_errno(errno.EAGAIN, BlockingIOError):
                while True:
                    bstream.send("box", b"%d" % sent, timeout=0)
                    sent += 1
            self.assertGreaterEqual(sent, 16)
            with self.raises_errno(errno.ETIMEDOUT, TimeoutError):
                bstream.send("box", b"late", timeout=0.01)
            thread = threading.Thread(target=bstream.send, args=("box", b"last"))
            thread.start()
            self.assertEqual([int(mailbox.recv().note) for _ in range(sent)], list(range(sent)))
            self.assertEqual(mailbox.recv(guard.PATIENCE).note, b"last")
            thread.join()

    def test_c_opens_a_stream_to_python(self):
        with bstream.Mailbox("box") as mailbox:
            peer = self.peer("mail", "box", "from C", 100, 4096)
            message = next(mailbox)
            self.assertEqual((message.note, message.pid), (b"from C", peer.pid))
            with message.reader as reader:
                self.assertEqual(list(reader), [guard.chunk(n, 4096) for n in range(100)])
            self.said(peer)

    def test_python_opens_a_stream_to_c(self):
        peer = self.peer("take", "box")
        bstream.wait("box", "mailbox", guard.PATIENCE)
        with bstream.connect("box", b"from Python") as writer:
            for number in range(100):
                writer.write(guard.chunk(number, 1000))
        self.assertTrue(self.said(peer).startswith("from Python 100 100000 closed"))


if __name__ == "__main__":
    guard.main()
