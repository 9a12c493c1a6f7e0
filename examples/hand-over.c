/* SPDX-License-Identifier: MIT */
/*
 * hand-over.c - gives the read end of a stream to another program. The parent writes; the child is
 * this program executed anew, which finds its end under the descriptor named by its argument.
 *
 * Usage: hand-over
 */
#include <bstream.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int child(int fd)
{
	struct bstream_reader *reader;
	char buf[256];
	size_t len;
	int r = bstream_reader_attach(fd, &reader);

	while (r >= 0 && (r = bstream_read(reader, buf, sizeof(buf), &len, BSTREAM_FOREVER)) == 1)
		printf("process two got \"%.*s\"\n", (int)len, buf);
	if (r < 0)
		return 1;
	bstream_reader_close(reader);
	return 0;
}

static pid_t spawn_child(const char *self, struct bstream_reader *reader)
{
	int fd = bstream_reader_detach(reader); /* the handle is gone now, the end is not */
	char number[16];
	pid_t pid;

	if (fd < 0)
		return -1;
	snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	if (pid == 0) {
		fcntl(fd, F_SETFD, 0); /* survives exec, in the child only */
		execl("/proc/self/exe", self, number, (char *)NULL);
		_exit(127);
	}
	close(fd); /* a copy left here would keep the read end alive after the child */
	return pid;
}

int main(int argc, char **argv)
{
	static const char *const words[] = { "this", "came", "from", "process one" };
	struct bstream_writer *writer;
	struct bstream_reader *reader;
	int status, r;
	pid_t pid;

	if (argc > 1)
		return child(atoi(argv[1]));
	r = bstream_pair(NULL, &writer, &reader);
	if (r < 0) {
		fprintf(stderr, "bstream_pair: %s\n", strerror(-r));
		return 1;
	}
	pid = spawn_child(argv[0], reader);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && r == 0; i++)
		r = bstream_write(writer, words[i], strlen(words[i]), BSTREAM_FOREVER);
	bstream_writer_close(writer);
	if (r < 0 || pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
