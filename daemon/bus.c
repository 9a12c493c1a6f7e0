/* SPDX-License-Identifier: MIT */
/*
 * bus.c - owns the SIGBUS handler and the pointer to the region that it may mend. The signal is
 * raised by the broker's own loads and stores, in its one looking thread, so the handler runs at a
 * known place: between the instruction that failed and its repetition. mmap(2) is a bare system call.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "daemon/bus.h"

static _Atomic(struct bus_region *) guarded;

static bool bus_inside(const struct bus_region *r, const void *at)
{
	return r && (uintptr_t)at - (uintptr_t)r->base < r->len;
}

static void bus_on_signal(int sig, siginfo_t *info, void *context)
{
	struct bus_region *r = atomic_load(&guarded);
	int saved = errno;

	(void)context;
	if (!bus_inside(r, info->si_addr) ||
	    mmap(r->base, r->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED) {
		signal(sig, SIG_DFL); /* our own fault: die of it, at the same place */
		return;
	}
	atomic_store(&r->struck, true);
	errno = saved;
}

int bus_init(void)
{
	struct sigaction sa = { .sa_sigaction = bus_on_signal, .sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, NULL) < 0 ? -errno : 0;
}

void bus_guard(struct bus_region *region)
{
	atomic_store(&guarded, region);
}
