/* SPDX-License-Identifier: MIT */
/*
 * transports.c - the table of transports: which were built in, in the order they are shown.
 */
#include "bench/transport.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

#define PATTERN_MAX 64

extern const struct transport transport_bstream16, transport_bstream256, transport_bstream4096,
	transport_bstream4096_fit, transport_bstream16_nospin, transport_bstream16_named;
extern const struct transport transport_pipe64k, transport_pipe1m;
extern const struct transport transport_unix_stream, transport_unix_seqpacket, transport_mq;
extern const struct transport transport_zmq, transport_nng;
extern const struct transport transport_qb_ring, transport_qb_ipc;
extern const struct transport transport_boost16, transport_boost1024;
extern const struct transport transport_semring16, transport_semring1024;
extern const struct transport transport_spinring, transport_memcpy, transport_line, transport_futex,
	transport_timer;

const struct transport *const transports[] = {
	&transport_bstream16,
	&transport_bstream256,
	&transport_bstream4096,
	&transport_bstream4096_fit,
	&transport_bstream16_nospin,
	&transport_bstream16_named,
	&transport_pipe64k,
	&transport_pipe1m,
	&transport_unix_stream,
	&transport_unix_seqpacket,
	&transport_mq,
#ifdef HAVE_ZMQ
	&transport_zmq,
#endif
#ifdef HAVE_NNG
	&transport_nng,
#endif
#ifdef HAVE_QB
	&transport_qb_ring,
	&transport_qb_ipc,
#endif
#ifdef HAVE_BOOST_INTERPROCESS
	&transport_boost16,
	&transport_boost1024,
#endif
	&transport_semring16,
	&transport_semring1024,
	&transport_spinring,
	&transport_memcpy,
	&transport_line,
	&transport_futex,
	&transport_timer,
	NULL,
};

const struct transport *transport_find(const char *name)
{
	for (unsigned i = 0; transports[i]; i++)
		if (strcmp(transports[i]->name, name) == 0)
			return transports[i];
	return NULL;
}

bool transport_matches(const char *name, const char *patterns)
{
	while (*patterns) {
		size_t len = strcspn(patterns, ",");
		char pattern[PATTERN_MAX];

		snprintf(pattern, sizeof(pattern), "%.*s", (int)len, patterns);
		if (fnmatch(pattern, name, 0) == 0)
			return true;
		patterns += len + (patterns[len] == ',');
	}
	return false;
}
