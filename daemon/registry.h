/* SPDX-License-Identifier: MIT */
/*
 * registry.h - every stream the broker knows: by name, and by inotify's number. Those that were
 * removed and still have ends are there by number alone.
 */
#ifndef BSTREAMD_REGISTRY_H
#define BSTREAMD_REGISTRY_H

#include "daemon/account.h"
#include "daemon/figures.h"
#include "daemon/sorted.h"
#include "daemon/stream.h"

struct registry {
	struct sorted names, watches;
	int inotify; /* borrowed */
	int shm; /* the shm directory, open; owned */
	dev_t shm_dev, memfd_dev; /* where segments may be */
	char prefix[STREAM_FILE_SIZE]; /* what this broker's files are called first */
	struct accounts *accounts; /* borrowed */
	uint64_t bytes; /* of shared memory in all streams */
	uint32_t n_streams; /* named, and removed ones that still have ends */
	struct stream *due, **due_end; /* to be looked at again: watch.c */
	struct stream *labelled[FIGURES_NAMED]; /* whose figures are shown by name: figures.c */
	uint32_t n_labelled;
	struct figures others; /* the sum of all that are not */
};

/* 0 or a negative errno of ours. */
int registry_init(struct registry *r, int inotify, const char *prefix, struct accounts *accounts);
/* Frees the streams; their files stay. */
void registry_fini(struct registry *r);

/* Borrowed, or NULL. */
struct stream *registry_find(const struct registry *r, const char *name);
struct stream *registry_find_watch(const struct registry *r, int watch);

/* The stream is the registry's from now on, and stood for: so nobody takes it for forgotten. -EEXIST: the
 * name is taken; -ENOMEM: and the stream stays the caller's. */
int registry_take(struct registry *r, struct stream *s);

/* Somebody has an end of it, or is about to get one or a view: watch it, or if that cannot be had, do not
 * stand for it. Before that nobody's death could matter. */
void registry_attend(struct registry *r, struct stream *s);

/* Take the name away, and the file with it. The stream stays while it has ends. */
void registry_unname(struct registry *r, struct stream *s);

/* Watch it anew after its file was unlinked: the kernel takes a watch away with an inode's last
 * name, even if the inode lives on, where that name was given to a file made without one. What
 * happened in between is seen by the look that has to follow. */
void registry_watch_nameless(struct registry *r, struct stream *s);

/* Its name is removed: said in its words, and then the name is taken away. It stays for as long as it has
 * ends, if we hear of it when they go. */
void registry_remove(struct registry *r, struct stream *s);

/* An end of it, which locks that byte, was given to this user: it is his until it has gone. Without
 * memory it is nobody's. */
void registry_grant(struct registry *r, struct stream *s, uint64_t byte, uid_t uid);

/* See which of them have gone. */
void registry_settle_grants(struct registry *r, struct stream *s);

/* Forget it altogether: its name, its file, and itself. */
void registry_forget(struct registry *r, struct stream *s);

/* A file name for a stream of this name, never used before. 0 or a negative errno of ours. */
int registry_file_name(const struct registry *r, char file[STREAM_FILE_SIZE], const char *name);

#endif
