/* SPDX-License-Identifier: MIT */
/*
 * A reader that polls and sleeps in turns, as it likes: lib/items.c and lib/pollfd.c against writers
 * that publish, and wake by proto/wake.c: with an event where `poll` is up, else with a post.
 *
 * Between refusals it reads one chunk whenever its descriptor is readable.
 *
 * Fault FAULT=1: it does not clear poll before it sleeps.
 *       FAULT=2: a sleep that took the flag does not ring.
 *       FAULT=3: a refusal drains behind the flag.
 *       FAULT=4: a refusal does not look again.
 *       FAULT=5: what that look finds is had, but nothing is rung.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef NW
#define NW 2
#endif
#ifndef N
#define N 2
#endif

byte head, published, flag, sem;
bool poll, readable, waits;

proctype W() {
	byte n, f; bool p;
	do
	:: n < N ->
		n++;
		published++;
		f = flag;
		if
		:: f != 0 && published >= f ->
			d_step { f = flag; flag = 0 };
			if
			:: f != 0 ->
				d_step { p = poll; poll = false };
				if :: p -> readable = true :: else -> sem++ fi
			:: else
			fi
		:: else
		fi
	:: else -> break
	od
}

proctype R() {
	bool slept;
again:
	if
	:: goto asleep
	:: waits = true;
end0:		atomic { readable -> waits = false }
	fi;
refused:
	if
	:: published > head -> head++; goto again
	:: else
	fi;
#if FAULT != 3
	readable = false;
#endif
	poll = true;
	flag = head + 1;
#if FAULT != 4
	if
	:: published > head ->
#if FAULT != 5
		readable = true;
#endif
		head++; goto again
	:: else
	fi;
#endif
#if FAULT == 3
	readable = false;
#endif
	goto again;
asleep:
	slept = false;
more:
	if
	:: published > head ->
		head++;
#if FAULT != 2
		if :: slept -> readable = true :: else fi;
#endif
		goto again
	:: else
	fi;
	slept = true;
#if FAULT != 1
	poll = false;
#endif
	flag = head + 1;
	if
	:: published > head -> flag = 0; goto more
	:: else
	fi;
	waits = true;
end1:	atomic { sem > 0 -> sem--; waits = false };
	goto more
}

/* It waits for what will not come, or for what is not there. */
proctype Monitor() { timeout -> assert(!waits || published == head) }

/* It starts with a refusal, as bstream_reader_pollfd() does: here, readable once for nothing. */
init { atomic { readable = true; byte i = 0; do :: i < NW -> run W(); i++ :: else -> break od; run R(); run Monitor() } }
