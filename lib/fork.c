/* SPDX-License-Identifier: MIT */
/*
 * fork.c - owns the stamp page and the list of this process's ends.
 *
 * The page is made when the first end is taken and lives as long as the process. In a child it
 * reads 0, which is no handle's stamp, until the child takes an end of its own. Where the kernel
 * cannot wipe at fork, the atfork handler does it; a child made without fork handlers then still
 * believes in its parent's handles, whose mapping it does not have.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fork.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct bs_hold *holds;
static uint64_t
	last_stamp; /* in memory that fork copies: a child's stamps differ from its parent's */
static uint64_t *page;
static uint64_t no_page;
const uint64_t *bs_fork_page = &no_page;

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void after_fork_child(void)
{
	for (struct bs_hold *h = holds; h != NULL; h = h->next) {
		close(h->sight.fd);
		h->sight.fd = -1;
	}
	holds = NULL;
	if (page != NULL)
		*page = 0;
	pthread_mutex_unlock(&lock);
}

static void start(void)
{
	void *p = mmap(NULL, BS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	madvise(p, BS_PAGE, MADV_WIPEONFORK); /* before Linux 4.14: the handler wipes */
	if (pthread_atfork(before_fork, after_fork_parent, after_fork_child) != 0) {
		munmap(p, BS_PAGE);
		return;
	}
	page = p;
	bs_fork_page = page;
}

void bs_fork_hold_off(void)
{
	pthread_once(&once, start);
	pthread_mutex_lock(&lock);
}

void bs_fork_go_on(void)
{
	pthread_mutex_unlock(&lock);
}

/* With the lock held, and the page there. */
static uint64_t stamp_own(void)
{
	if (*page == 0)
		*page = ++last_stamp;
	return *page;
}

uint64_t bs_fork_stamp(void)
{
	pthread_once(&once, start);
	if (page == NULL)
		return 0;
	pthread_mutex_lock(&lock);
	uint64_t stamp = stamp_own();
	pthread_mutex_unlock(&lock);
	return stamp;
}

uint64_t bs_fork_enlist(struct bs_hold *hold)
{
	pthread_once(&once, start);
	if (page == NULL)
		return 0;
	pthread_mutex_lock(&lock);
	uint64_t stamp = stamp_own();
	hold->prev = NULL;
	hold->next = holds;
	if (holds != NULL)
		holds->prev = hold;
	holds = hold;
	pthread_mutex_unlock(&lock);
	return stamp;
}

static void hold_unlink(struct bs_hold *hold)
{
	if (hold->next != NULL)
		hold->next->prev = hold->prev;
	if (hold->prev != NULL)
		hold->prev->next = hold->next;
	else if (holds == hold)
		holds = hold->next;
}

void bs_fork_delist(struct bs_hold *hold)
{
	pthread_mutex_lock(&lock);
	hold_unlink(hold);
	pthread_mutex_unlock(&lock);
}

void bs_fork_close(struct bs_hold *hold)
{
	pthread_mutex_lock(&lock);
	hold_unlink(hold);
	close(hold->sight.fd);
	pthread_mutex_unlock(&lock);
}
