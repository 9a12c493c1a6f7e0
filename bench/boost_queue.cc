/* SPDX-License-Identifier: MIT */
/*
 * boost_queue.cc - the one file here that is C++: a message_queue behind five functions.
 */
#include "bench/boost_queue.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <cerrno>
#include <new>

namespace ipc = boost::interprocess;

struct boost_queue {
	ipc::message_queue queue;

	boost_queue(const char *name, size_t depth, size_t len)
	    : queue(ipc::create_only, name, depth, len)
	{
	}
};

struct boost_queue *boost_queue_new(const char *name, size_t depth, size_t len)
{
	try {
		ipc::message_queue::remove(name);
		boost_queue *q = new boost_queue(name, depth, len);

		ipc::message_queue::remove(name);
		return q;
	} catch (const std::exception &) {
		return NULL;
	}
}

void boost_queue_free(struct boost_queue *q)
{
	delete q;
}

int boost_queue_send(struct boost_queue *q, const void *buf, size_t len, bool wait)
{
	try {
		if (!wait)
			return q->queue.try_send(buf, len, 0) ? 0 : -EAGAIN;
		q->queue.send(buf, len, 0);
		return 0;
	} catch (const std::exception &) {
		return -EIO;
	}
}

ssize_t boost_queue_receive(struct boost_queue *q, void *buf, size_t cap, bool wait)
{
	ipc::message_queue::size_type len = 0;
	unsigned priority;

	try {
		if (!wait)
			return q->queue.try_receive(buf, cap, len, priority) ? (ssize_t)len
									     : -EAGAIN;
		q->queue.receive(buf, cap, len, priority);
		return (ssize_t)len;
	} catch (const std::exception &) {
		return -EIO;
	}
}
