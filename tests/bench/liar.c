/* SPDX-License-Identifier: MIT */
/*
 * liar.c - is loaded before libc, and changes a byte of what is read from a pipe: bstream-bench is to notice. It is
 * one of the first body (4 bytes of length stand before each), past its number and before its checksum: wherever
 * a read ends, another chunk arrives, and not another length.
 */
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define LIE_AT 512

ssize_t readv(int fd, const struct iovec *iov, int n_iov)
{
	ssize_t (*real)(int, const struct iovec *, int) =
		(ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "readv");
	ssize_t n = real(fd, iov, n_iov);
	struct stat st;

	if (n >= 2 * LIE_AT && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		for (size_t at = LIE_AT; n_iov > 0; at -= iov->iov_len, iov++, n_iov--)
			if (at < iov->iov_len) {
				((unsigned char *)iov->iov_base)[at] ^= 1;
				break;
			}
	return n;
}
