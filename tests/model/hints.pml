/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups among several writers that wait for room: lib/room.c against bs_reader_advance().
 *
 * NW writers, one flag with a threshold, one semaphore, a count of sleepers; a stream of CAP slots
 * that starts full; a reader that releases as it likes, and may stop. There are no slices and no
 * deadlines here, so a wake-up that is lost leaves somebody asleep beside a free slot. A writer's head_seen may be old.
 *
 * SEVERAL=1: it releases as many at once as it likes, and looks at the flag once (bstream_release_many).
 *
 * Fault FAULT=1: who was woken does not raise the flag for the others.
 *       FAULT=2: he raises it at a count that is still to come.
 *       FAULT=3: who claims does not pass the wake-up on.
 *       FAULT=4: the sleeper does not look again behind his flag.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef NW
#define NW 3
#endif
#ifndef CAP
#define CAP 2
#endif
#ifndef SEVERAL
#define SEVERAL 0
#endif

byte head, tail = CAP, flag, sem, sleepers;

inline raise(count) {
	d_step { if :: (flag == 0 || flag > count) -> flag = count :: else fi }
}

proctype W() {
	byte seen = 0, t, f, h;
again:
	t = tail;
	if
	:: (t - seen >= CAP) ->
		seen = head;
		if
		:: (t - seen >= CAP) -> goto asleep
		:: else
		fi
	:: else
	fi;
	if
	:: atomic { tail == t -> tail = t + 1 }; goto claimed
	:: atomic { tail != t }; goto again
	fi;
asleep:
	sleepers++;
	h = head;
	raise(h + 1);
#if FAULT != 4
	if /* head after tail, as room_check() reads them */
	:: atomic { (tail - head < CAP) -> seen = head }; sleepers--; goto again
	:: else
	fi;
#endif
end:	atomic { sem > 0 -> sem-- };
	d_step { sleepers--; f = sleepers };
#if FAULT != 1
	if
	:: (f > 0) ->
		h = head;
#if FAULT == 2
		raise(h + 1)
#else
		if :: h == 0 -> raise(1) :: else -> raise(h) fi
#endif
	:: else
	fi;
#endif
	seen = head;
	goto again;
claimed:
#if FAULT != 3
	f = flag;
	if
	:: (f != 0 && t + 1 - seen < CAP && seen >= f) ->
		d_step { f = flag; flag = 0 };
		if :: f != 0 -> sem++ :: else fi
	:: else
	fi;
#endif
	skip
}

proctype R() {
	byte f, n;
	do
	:: (head < tail) ->
#if SEVERAL
		n = 1;
		do :: (n < tail - head) -> n++ :: break od;
		head = head + n;
#else
		head++;
#endif
		f = flag;
		if
		:: (f != 0 && head >= f) ->
			d_step { f = flag; flag = 0 };
			if :: f != 0 -> sem++ :: else fi
		:: else
		fi
	:: break /* it may stop releasing at any time: then whoever has room must not be asleep */
	od
}

proctype Monitor() { timeout -> assert(sleepers == 0 || tail - head >= CAP) }

init { atomic { byte i = 0; do :: i < NW -> run W(); i++ :: else -> break od; run R(); run Monitor() } }
