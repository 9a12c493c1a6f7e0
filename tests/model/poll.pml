/* SPDX-License-Identifier: MIT */
/*
 * Pollers and sleepers that wait for room behind one flag: lib/room.c, lib/pollfd.c and
 * proto/wake.c against bs_reader_advance().
 *
 * NP writers that poll and NS that sleep, N chunks each; a stream of CAP slots that starts full; a
 * reader that releases as it likes, and may stop. A poller writes one chunk when its descriptor is
 * readable, then polls again; it may also lose interest. There are no slices: who is not told while there is
 * room, waits for ever. A writer's head_seen is always fresh: hints.pml has old ones.
 *
 * DEATH=1: who has taken the flag down may die before he tells anybody. The kernel reports it.
 *
 * Fault FAULT=1: the descriptor is drained behind the flag.
 *       FAULT=2: no second look behind the flag.
 *       FAULT=3: what the second look finds is had, but nothing is rung.
 *       FAULT=4: poll is raised behind the flag.
 *       FAULT=5: a post is spared where a poller has heard.
 *       FAULT=6: a death is not reported.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef NP
#define NP 2
#endif
#ifndef NS
#define NS 1
#endif
#ifndef N
#define N 2
#endif
#ifndef CAP
#define CAP 1
#endif
#ifndef DEATH
#define DEATH 0
#endif

byte head, tail = CAP, flag, sem, sleepers, stuck;
bool poll, readable[NP + 1];

inline raise(count) {
	d_step { if :: (flag == 0 || flag > count) -> flag = count :: else fi }
}

inline event() {
	d_step { i = 0; do :: i < NP -> readable[i] = true; i++ :: else -> break od; i = 0 }
}

/* bs_wake_room(); who dies goes to over. */
inline wake() {
	d_step { f = flag; flag = 0 };
	if
	:: f != 0 ->
#if DEATH
		if
		:: skip
		:: skip ->
#if FAULT != 6
			event();
#endif
			goto over
		fi;
#endif
		d_step { p = poll; poll = false };
		s = sleepers;
#if FAULT == 5
		if :: !p -> sem++ :: else fi;
#else
		if :: !p || s > 0 -> sem++ :: else fi;
#endif
		if :: p -> event() :: else fi
	:: else
	fi
}

inline hand_on() {
	f = flag;
	if
	:: f != 0 && tail - head < CAP && head >= f -> wake()
	:: else
	fi
}

proctype P(byte me) {
	byte f, s, i, n, t; bool p;
	readable[me] = true; /* until it is refused for the first time */
call:
	t = tail;
	if
	:: atomic { tail == t && t - head < CAP -> tail++ }; n++; hand_on();
		if :: n == N -> goto over :: else -> goto await fi
	:: atomic { tail != t }; goto call
	:: atomic { tail == t && t - head >= CAP }
	fi;
#if FAULT != 1
	readable[me] = false;
#endif
#if FAULT != 4
	poll = true;
#endif
	raise(head + 1);
#if FAULT == 4
	poll = true;
#endif
#if FAULT != 2
	if
	:: tail - head < CAP ->
#if FAULT != 3
		readable[me] = true;
#endif
		goto call
	:: else
	fi;
#endif
#if FAULT == 1
	readable[me] = false;
#endif
await:
	stuck++;
end:	if
	:: atomic { readable[me] -> stuck-- }; goto call
	:: atomic { readable[me] -> stuck-- } /* other things to do */
	fi;
over:
	skip
}

proctype S() {
	byte f, s, i, n, t; bool p;
call:
	t = tail;
	if
	:: atomic { tail == t && t - head < CAP -> tail++ }; n++; hand_on();
		if :: n == N -> goto over :: else -> goto call fi
	:: atomic { tail != t }; goto call
	:: atomic { tail == t && t - head >= CAP }
	fi;
	sleepers++;
	raise(head + 1);
	if
	:: tail - head < CAP -> sleepers--; goto call
	:: else
	fi;
	stuck++;
end:	atomic { sem > 0 -> sem--; stuck-- };
	d_step { sleepers--; f = sleepers };
	if :: f > 0 -> raise(head) :: else fi;
	goto call;
over:
	skip
}

proctype R() {
	byte f, s, i; bool p;
	do
	:: head < tail ->
		head++;
		f = flag;
		if :: f != 0 && head >= f -> wake() :: else fi
	:: break
	od;
over:
	skip
}

proctype Monitor() { timeout -> assert(stuck == 0 || tail - head >= CAP) }

init {
	atomic {
		byte i = 0;
		do :: i < NP -> run P(i); i++ :: else -> break od;
		i = 0;
		do :: i < NS -> run S(); i++ :: else -> break od;
		run R(); run Monitor()
	}
}
