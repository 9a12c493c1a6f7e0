/* SPDX-License-Identifier: MIT */
/* check_segment.c - memory made whole, checked before it is believed, and not inherited by fork. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/segment.h"
#include "tests/guard.h"

static struct bs_geometry geo;

static int segment_new(const char *name)
{
	struct bs_segment_spec spec = { .name = name, .mode = 0640 };
	int fd;

	GIVES(bs_geometry_init(&geo, 4, 1000, 8, 0, 0), 0);
	fd = bs_segment_new_nameless(&geo, &spec);
	MUST(fd >= 0);
	return fd;
}

START_TEST(a_new_segment_is_allocated_whole_and_says_what_it_is)
{
	struct bs_header header;
	struct bs_geometry copy;
	struct stat st;
	int fd = segment_new("a.name");

	GIVES(bs_segment_check(fd, &copy, &header, &st), 0);
	GIVES(st.st_size, geo.size);
	MUST((uint64_t)st.st_blocks * 512 >= geo.size);
	GIVES(st.st_nlink, 0);
	GIVES(header.mode, 0640);
	GIVES(header.creator_pid, getpid());
	GIVES(header.uid, getuid());
	ck_assert_str_eq(header.name, "a.name");
	MUST(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
}
END_TEST

START_TEST(a_linkable_segment_has_no_name_yet)
{
	struct bs_segment_spec spec = { .name = "a.name", .mode = 0600 };
	struct bs_header header;
	struct bs_geometry copy;
	struct stat st;
	char tmp_name[64];
	int fd;

	GIVES(bs_geometry_init(&geo, 4, 1000, 8, 0, 0), 0);
	fd = bs_segment_new_linkable(&geo, &spec, tmp_name);
	MUST(fd >= 0);
	GIVES(bs_segment_check(fd, &copy, &header, &st), 0);
	GIVES(st.st_nlink, tmp_name[0] != '\0');
	GIVES(st.st_mode & 07777, 0600);
	if (tmp_name[0] != '\0')
		shm_unlink(tmp_name);
	close(fd);
}
END_TEST

START_TEST(what_is_no_segment_is_not_believed)
{
	struct bs_header header;
	struct bs_geometry copy;
	int p[2], s[2], fd;

	GIVES(bs_segment_check(-1, &copy, &header, NULL), -EBADF);
	GIVES(bs_segment_check(9999, &copy, &header, NULL), -EBADF);
	MUST(pipe2(p, O_CLOEXEC) == 0 &&
	     socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
	GIVES(bs_segment_check(p[0], &copy, &header, NULL), -EPROTO);
	GIVES(bs_segment_check(s[0], &copy, &header, NULL), -EPROTO);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), -EPROTO);
	close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), -EPROTO);
	close(fd);
	fd = memfd_create("short", MFD_CLOEXEC);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), -EPROTO);
	MUST(ftruncate(fd, 1 << 20) == 0);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), -EPROTO);
	close(fd);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), -EPROTO);
	close(fd);
	for (int i = 0; i < 2; i++)
		close(p[i]), close(s[i]);
}
END_TEST

START_TEST(a_segment_that_has_shrunk_is_not_believed)
{
	struct bs_header header;
	struct bs_geometry copy;
	int fd = segment_new("");

	MUST(ftruncate(fd, (off_t)geo.size - 1) == 0);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), -EPROTO);
	close(fd);
}
END_TEST

/* A memfd of the right size and contents, with these seals, that says it is sealed. */
static int claims_to_be_sealed(int seals)
{
	struct bs_segment_spec spec = { .name = "" };
	struct bs_geometry sealed;
	struct bs_header header;
	int from, fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	GIVES(bs_geometry_init(&sealed, 4, 64, 2, BS_FLAG_SEALED, 0), 0);
	from = bs_segment_new_nameless(&sealed, &spec);
	MUST(fd >= 0 && from >= 0 && ftruncate(fd, (off_t)sealed.size) == 0);
	MUST(pread(from, &header, sizeof(header), 0) == sizeof(header));
	MUST(pwrite(fd, &header, sizeof(header), 0) == sizeof(header));
	MUST(fcntl(fd, F_ADD_SEALS, seals) == 0);
	close(from);
	return fd;
}

START_TEST(a_sealed_segment_has_all_its_seals_or_is_not_believed)
{
	static const struct {
		int seals, want;
	} rows[] = {
		{ 0, -EPROTO },
		{ F_SEAL_SEAL, -EPROTO },
		{ F_SEAL_GROW | F_SEAL_SEAL, -EPROTO },
		{ F_SEAL_SHRINK | F_SEAL_SEAL, -EPROTO },
		{ F_SEAL_SHRINK | F_SEAL_GROW, -EPROTO },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, -EPROTO },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL, -EPROTO },
		{ F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, 0 },
	};
	struct bs_header header;
	struct bs_geometry copy;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = claims_to_be_sealed(rows[i].seals);

		GIVES(bs_segment_is_sealed(fd), rows[i].want == 0);
		GIVES(bs_segment_check(fd, &copy, &header, NULL), rows[i].want);
		close(fd);
	}
}
END_TEST

START_TEST(a_sealed_segment_keeps_its_size_and_has_nothing_of_libc_in_it)
{
	static const struct bs_segment none;
	struct bs_segment_spec spec = { .name = "" };
	struct bs_geometry sealed;
	struct stat st;
	int fd;

	GIVES(bs_geometry_init(&sealed, 4, 64, 2, BS_FLAG_SEALED, 0), 0);
	fd = bs_segment_new_nameless(&sealed, &spec);
	MUST(fd >= 0 && fstat(fd, &st) == 0);
	MUST((uint64_t)st.st_size == sealed.size && (uint64_t)st.st_blocks * 512 >= sealed.size);
	MUST(ftruncate(fd, 0) < 0 && errno == EPERM);
	MUST(ftruncate(fd, st.st_size * 2) < 0 && errno == EPERM);
	MUST(fallocate(fd, 0, st.st_size, 4096) < 0 && errno == EPERM);
	MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM);
	struct bs_segment *g = bs_segment_map(fd, sealed.size, true);
	MUST(g != NULL);
	MUST(memcmp(&g->items, &none.items, sizeof(g->items)) == 0);
	MUST(memcmp(&g->space, &none.space, sizeof(g->space)) == 0);
	bs_segment_unmap(g, sealed.size);
	close(fd);
}
END_TEST

START_TEST(a_check_moves_nothing)
{
	struct bs_header header;
	struct bs_geometry copy;
	int fd = segment_new("");

	MUST(lseek(fd, 12345, SEEK_SET) == 12345);
	GIVES(bs_segment_check(fd, &copy, &header, NULL), 0);
	GIVES(lseek(fd, 0, SEEK_CUR), 12345); /* the offset says which end it is */
	close(fd);
}
END_TEST

START_TEST(a_mapping_is_not_inherited)
{
	int fd = segment_new("");
	struct bs_segment *g = bs_segment_map(fd, geo.size, true);
	pid_t pid;

	MUST(g != NULL);
	GIVES(guard_n_mappings(), 1);
	pid = guard_fork();
	if (pid == 0)
		_exit(guard_n_mappings() == 0 ? 0 : 1);
	guard_reap(pid);
	bs_segment_unmap(g, geo.size);
	GIVES(guard_n_mappings(), 0);
	close(fd);
}
END_TEST

START_TEST(a_child_maps_what_its_parent_has_mapped)
{
	int fd = segment_new("");
	struct bs_segment *g = bs_segment_map(fd, geo.size, true);
	pid_t pid;

	atomic_store(&g->head.count, 5);
	pid = guard_fork();
	if (pid == 0) {
		struct bs_segment *own = bs_segment_map(fd, geo.size, true);

		MUST(own != NULL && atomic_fetch_add(&own->head.count, 1) == 5);
		bs_segment_unmap(own, geo.size);
		MUST(guard_n_mappings() == 0);
		_exit(0);
	}
	guard_reap(pid);
	GIVES(atomic_load(&g->head.count), 6);
	bs_segment_unmap(g, geo.size);
	close(fd);
}
END_TEST

int main(void)
{
	const struct guard_case cases[] = {
		ONCE(a_new_segment_is_allocated_whole_and_says_what_it_is),
		ONCE(a_linkable_segment_has_no_name_yet),
		ONCE(what_is_no_segment_is_not_believed),
		ONCE(a_segment_that_has_shrunk_is_not_believed),
		ONCE(a_sealed_segment_has_all_its_seals_or_is_not_believed),
		ONCE(a_sealed_segment_keeps_its_size_and_has_nothing_of_libc_in_it),
		ONCE(a_check_moves_nothing),
		ONCE(a_mapping_is_not_inherited),
		ONCE(a_child_maps_what_its_parent_has_mapped),
	};

	return GUARD_RUN("segment", cases);
}
