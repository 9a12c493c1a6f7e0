/* SPDX-License-Identifier: MIT */
/* check_end.c - the kernel counts the ends: whose locks live how long, and who may ask. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/end.h"
#include "proto/layout.h"
#include "tests/guard.h"

static int a, b; /* two descriptions of one file */

static void begin(void)
{
	a = memfd_create("bstream", MFD_CLOEXEC);
	b = bs_end_reopen(a, O_RDWR);
	MUST(a >= 0 && b >= 0);
}

static void end(void)
{
	close(a);
	close(b);
}

START_TEST(one_description_locks_a_byte_and_says_which)
{
	begin();
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 0);
	GIVES(bs_end_lock(a, BS_BYTE_READER), 0);
	MUST(bs_end_byte(a) == BS_BYTE_READER);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1);
	GIVES(bs_end_held(a, BS_BYTE_READER, 1), 0); /* one's own is not seen */
	GIVES(bs_end_lock(b, BS_BYTE_READER), -EAGAIN);
	GIVES(bs_end_byte(b), 0);
	GIVES(bs_end_lock(a, BS_BYTE_READER), 0); /* again: it is ours */
	bs_end_unlock(a, BS_BYTE_READER);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 0);
	end();
}
END_TEST

START_TEST(a_range_is_asked_without_a_lock)
{
	begin();
	GIVES(bs_end_lock(a, BS_BYTE_WRITERS + 4095), 0);
	GIVES(bs_end_held(b, BS_BYTE_WRITERS, 4096), 1);
	GIVES(bs_end_held(b, BS_BYTE_WRITERS, 4095), 0);
	GIVES(bs_end_lock(b, BS_BYTE_WRITERS), 0);
	GIVES(bs_end_held(b, BS_BYTE_WRITERS, 4095), 0);
	GIVES(bs_end_held(a, BS_BYTE_WRITERS, 4095), 1);
	end();
}
END_TEST

START_TEST(a_lock_goes_with_the_last_of_descriptor_copy_and_mapping)
{
	int copy;
	void *p;

	begin();
	MUST(ftruncate(a, 4096) == 0);
	GIVES(bs_end_lock(a, BS_BYTE_READER), 0);
	copy = dup(a);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, a, 0);
	MUST(copy >= 0 && p != MAP_FAILED);
	MUST(bs_end_byte(copy) == BS_BYTE_READER);
	close(a);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1);
	close(copy);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1);
	munmap(p, 4096);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 0);
	a = -1;
	end();
}
END_TEST

START_TEST(a_lock_goes_with_a_killed_process)
{
	struct guard_gate locked;
	pid_t pid;

	begin();
	guard_gate_init(&locked);
	pid = guard_fork();
	if (pid == 0) {
		int fd = bs_end_reopen(b, O_RDWR);

		GIVES(bs_end_lock(fd, BS_BYTE_READER), 0);
		guard_gate_open(&locked);
		for (;;)
			pause();
	}
	guard_gate_pass(&locked);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1);
	guard_stop(pid);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1); /* stopped is not dead */
	guard_kill(pid);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 0);
	guard_gate_fini(&locked);
	end();
}
END_TEST

START_TEST(a_lock_lives_in_flight)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec iov = { "x", 1 };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s[2];

	begin();
	GIVES(bs_end_lock(a, BS_BYTE_READER), 0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) == 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(c) = a;
	GIVES(sendmsg(s[0], &m, 0), 1);
	close(a);
	a = -1;
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1);
	close(s[1]); /* never received */
	close(s[0]);
	UNTIL(bs_end_held(b, BS_BYTE_READER, 1) == 0);
	end();
}
END_TEST

START_TEST(an_unlock_by_a_copy_is_an_unlock)
{
	begin();
	GIVES(bs_end_lock(a, BS_BYTE_READER), 0);
	pid_t pid = guard_fork();
	if (pid == 0) {
		close(a); /* a close is none */
		_exit(0);
	}
	guard_reap(pid);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 1);
	pid = guard_fork();
	if (pid == 0) {
		bs_end_unlock(a, BS_BYTE_READER); /* so a child must never */
		_exit(0);
	}
	guard_reap(pid);
	GIVES(bs_end_held(b, BS_BYTE_READER, 1), 0);
	end();
}
END_TEST

START_TEST(what_has_no_offset_and_no_locks_says_so)
{
	int p[2];

	begin();
	MUST(pipe2(p, O_CLOEXEC) == 0);
	GIVES(bs_end_byte(p[0]), 0);
	GIVES(bs_end_byte(-1), 0);
	MUST(bs_end_held(-1, BS_BYTE_READER, 1) == -EBADF);
	MUST(bs_end_lock(-1, BS_BYTE_READER) == -EBADF);
	MUST(bs_end_reopen(-1, O_RDWR) < 0);
	close(p[0]);
	close(p[1]);
	end();
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(one_description_locks_a_byte_and_says_which),
		ONCE(a_range_is_asked_without_a_lock),
		ONCE(a_lock_goes_with_the_last_of_descriptor_copy_and_mapping),
		ONCE(a_lock_goes_with_a_killed_process),
		ONCE(a_lock_lives_in_flight),
		ONCE(an_unlock_by_a_copy_is_an_unlock),
		ONCE(what_has_no_offset_and_no_locks_says_so),
	};

	return GUARD_RUN("end", cases);
}
