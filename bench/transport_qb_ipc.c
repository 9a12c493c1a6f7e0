/* SPDX-License-Identifier: MIT */
/*
 * transport_qb_ipc.c - libqb IPC over shared memory: a server with its event loop reads, clients
 * write.
 *
 * The server is called back, so that its loops are its own: each message is copied to the private
 * buffer and checked in the callback. A client is told that there is no room and tries again. It
 * connects when it writes first, for that needs a server in its loop.
 */
#include <errno.h>
#include <qb/qbipcc.h>
#include <qb/qbipcs.h>
#include <qb/qbloop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/loops.h"
#include "bench/transport.h"

#define HEADERS	      64u
#define ROOM_MIN      1048576u
#define ROOM_CHUNKS   16u
#define CONNECT_TRIES 2000u
#define REQUEST_ID    (QB_IPC_MSG_USER_START + 1)

struct qb_ipc {
	char name[64];
	size_t msg_max;
	qb_ipcc_connection_t *client;
	qb_ipcs_service_t *server;
	unsigned char *answer; /* a client's: header and bytes */
};

static struct {
	qb_loop_t *loop;
	struct seat *seat;
	bool answers;
	int result;
} server; /* the callbacks of a service get no argument of ours */

static int qb_ipc_open(struct channel *c)
{
	struct qb_ipc *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	snprintf(q->name, sizeof(q->name), "bstream-bench-%d-%u", (int)getpid(), c->id);
	q->msg_max = c->len * ROOM_CHUNKS < ROOM_MIN ? ROOM_MIN : c->len * ROOM_CHUNKS;
	q->answer = malloc(c->len + HEADERS);
	c->state = q;
	return q->answer ? 0 : -ENOMEM;
}

static void qb_ipc_close(struct channel *c)
{
	struct qb_ipc *q = c->state;

	free(q->answer);
	free(q);
}

/* ---- the client ---- */

static int qb_ipc_attach_writer(struct channel *c, unsigned k, void **endp)
{
	(void)k;
	*endp = c->state;
	return 0;
}

static int client_connect(struct qb_ipc *q)
{
	for (unsigned try = 0; try < CONNECT_TRIES && !q->client; try++) {
		q->client = qb_ipcc_connect(q->name, q->msg_max);
		if (!q->client)
			sleep_ns(1000000);
	}
	return q->client ? 0 : -ECONNREFUSED;
}

static int qb_ipc_write(void *end, const void *buf, size_t len)
{
	struct qb_ipc *q = end;
	struct qb_ipc_request_header head = { .id = REQUEST_ID };
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)(uintptr_t)buf, len } };
	ssize_t done;

	head.size = (int32_t)(sizeof(head) + len);
	if (!q->client && client_connect(q) < 0)
		return -ECONNREFUSED;
	while ((done = qb_ipcc_sendv(q->client, iov, 2)) == -EAGAIN)
		sched_yield();
	return done < 0 ? (int)done : 0;
}

static ssize_t qb_ipc_read(void *end, void *buf, size_t cap)
{
	struct qb_ipc *q = end;
	struct qb_ipc_response_header *head = (void *)q->answer;
	ssize_t got = qb_ipcc_recv(q->client, q->answer, cap + HEADERS, -1);

	if (got < (ssize_t)sizeof(*head))
		return got < 0 ? got : -EBADMSG;
	memcpy(buf, q->answer + sizeof(*head), (size_t)got - sizeof(*head));
	return got - (ssize_t)sizeof(*head);
}

static void qb_ipc_leave(void *end)
{
	struct qb_ipc *q = end;

	if (q->client)
		qb_ipcc_disconnect(q->client);
	if (q->server)
		qb_ipcs_destroy(q->server);
}

/* ---- the server ---- */

static int32_t on_accept(qb_ipcs_connection_t *c, uid_t uid, gid_t gid)
{
	(void)c;
	(void)uid;
	(void)gid;
	return 0;
}

static void answer(qb_ipcs_connection_t *c, const void *bytes, size_t len)
{
	struct qb_ipc_response_header head = { .id = REQUEST_ID };
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)(uintptr_t)bytes, len } };

	head.size = (int32_t)(sizeof(head) + len);
	while (qb_ipcs_response_sendv(c, iov, 2) == -EAGAIN)
		sched_yield();
}

static int32_t on_message(qb_ipcs_connection_t *c, void *data, size_t size)
{
	const struct qb_ipc_request_header *head = data;
	struct seat *s = server.seat;
	size_t len = (size_t)head->size - sizeof(*head);
	enum take take;

	(void)size;
	if (len != s->round->len)
		take = seat_take_odd(s, (unsigned char *)data + sizeof(*head), 0);
	else {
		memcpy(s->buf, (unsigned char *)data + sizeof(*head), len);
		take = seat_take(s, s->buf, len);
	}
	if (take == TAKE_MORE) {
		if (server.answers)
			answer(c, s->buf, len);
		return 0;
	}
	server.result = take == TAKE_END ? 0 : -EBADMSG;
	qb_loop_stop(server.loop);
	return 0;
}

static int32_t job_add(enum qb_loop_priority p, void *data, qb_loop_job_dispatch_fn fn)
{
	return qb_loop_job_add(server.loop, p, data, fn);
}

static int32_t dispatch_add(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_add(server.loop, p, fd, events, data, fn);
}

static int32_t dispatch_mod(enum qb_loop_priority p, int32_t fd, int32_t events, void *data,
			    qb_ipcs_dispatch_fn_t fn)
{
	return qb_loop_poll_mod(server.loop, p, fd, events, data, fn);
}

static int32_t dispatch_del(int32_t fd)
{
	return qb_loop_poll_del(server.loop, fd);
}

static int qb_ipc_attach_reader(struct channel *c, void **endp)
{
	static struct qb_ipcs_service_handlers on = { .connection_accept = on_accept,
						      .msg_process = on_message };
	static struct qb_ipcs_poll_handlers poll = { job_add, dispatch_add, dispatch_mod,
						     dispatch_del };
	struct qb_ipc *q = c->state;

	server.loop = qb_loop_create();
	q->server = qb_ipcs_create(q->name, 0, QB_IPC_SHM, &on);
	if (!server.loop || !q->server)
		return -ENOMEM;
	qb_ipcs_enforce_buffer_size(q->server, (uint32_t)q->msg_max);
	qb_ipcs_poll_handlers_set(q->server, &poll);
	qb_ipcs_request_rate_limit(q->server, QB_IPCS_RATE_FAST);
	*endp = q;
	return qb_ipcs_run(q->server);
}

static int serve(struct seat *s, bool answers)
{
	server.seat = s;
	server.answers = answers;
	qb_loop_run(server.loop);
	return server.result;
}

static int qb_ipc_receive(struct seat *s)
{
	return serve(s, false);
}

static int qb_ipc_pong(struct seat *s)
{
	return serve(s, true);
}

static int qb_ipc_send(struct seat *s)
{
	return loop_send(s, qb_ipc_write);
}

static int qb_ipc_ping(struct seat *s)
{
	return loop_ping(s, qb_ipc_write, qb_ipc_read);
}

const struct transport transport_qb_ipc = {
	.name = "qb-ipc",
	.about = "libqb IPC, shared memory; its clients poll when there is no room",
	.traits = TRANSPORT_SLEEPS | TRANSPORT_FAN_IN | TRANSPORT_BOTH_WAYS,
	.open = qb_ipc_open,
	.close = qb_ipc_close,
	.attach_writer = qb_ipc_attach_writer,
	.attach_reader = qb_ipc_attach_reader,
	.leave = qb_ipc_leave,
	.send = qb_ipc_send,
	.receive = qb_ipc_receive,
	.ping = qb_ipc_ping,
	.pong = qb_ipc_pong,
};
