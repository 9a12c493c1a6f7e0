/* SPDX-License-Identifier: MIT */
/*
 * Wake-ups in a sealed stream, where one sleeps on a generation: proto/hint.c, lib/room.c, lib/items.c.
 *
 * hints.pml has semaphores, which keep a post for one who is not asleep yet. A futex keeps none: who
 * wakes bumps the generation and then wakes one of those asleep; who goes to sleep does so if the
 * generation is still the one that he saw before he raised his flag. The kernel compares and
 * queues in one step, and may send anybody back for no reason (EINTR; a peer who plays with the word).
 *
 * NW writers of one chunk each, CAP slots, full; and a reader, asleep where there is nothing. It may stop
 * for good at any time, as a writer may be last. No slices and no deadlines: a wake-up that is
 * lost leaves somebody asleep beside a free slot, or beside a chunk.
 *
 * Fault FAULT=1: the generation is looked at behind the second look.
 *       FAULT=2: who wakes does so before the bump.
 *       FAULT=3: no bump.
 *       FAULT=4: no second look behind the flag.
 *       FAULT=5: who was woken does not raise the flag for the others.
 *       FAULT=6: who claims does not pass the wake-up on (with CAP=2).
 *       FAULT=7: a reader that sleeps again looks at the generation behind the flag.
 *       FAULT=8: it sleeps again without looking whether the flag is still up.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef NW
#define NW 2
#endif
#ifndef CAP
#define CAP 1
#endif
#define LAST (CAP + NW)

byte head, tail = CAP;
bool published[LAST];
byte room_flag, room_gen, items_flag, items_gen, sleepers;
bool asleep[3], reader_asleep; /* in the kernel's queue */

inline raise(flag, count) {
	d_step { if :: (flag == 0 || flag > count) -> flag = count :: else fi }
}

inline bump(gen) {
#if FAULT != 3
	gen++
#else
	skip
#endif
}

inline wake_a_writer() {
	atomic {
		if
		:: asleep[0] -> asleep[0] = 0
		:: asleep[1] -> asleep[1] = 0
		:: asleep[2] -> asleep[2] = 0
		:: else
		fi
	}
}

inline wake_room() {
	d_step { f = room_flag; room_flag = 0 };
	if
	:: (f != 0) ->
#if FAULT == 2
		wake_a_writer();
		bump(room_gen)
#else
		bump(room_gen);
		wake_a_writer()
#endif
	:: else
	fi
}

inline wake_items() {
	d_step { f = items_flag; items_flag = 0 };
	if
	:: (f != 0) ->
#if FAULT == 2
		reader_asleep = 0;
		bump(items_gen)
#else
		bump(items_gen);
		reader_asleep = 0
#endif
	:: else
	fi
}

proctype W(byte me) {
	byte seen = 0, t, f, h, gen;
again:
	t = tail;
	if
	:: (t - seen >= CAP) ->
		seen = head;
		if
		:: (t - seen >= CAP) -> goto to_sleep
		:: else
		fi
	:: else
	fi;
	if
	:: atomic { tail == t -> tail = t + 1 }; goto claimed
	:: atomic { tail != t }; goto again
	fi;
to_sleep:
	gen = room_gen;
	sleepers++;
	h = head;
	raise(room_flag, h + 1);
#if FAULT != 4
	if
	:: atomic { (tail - head < CAP) -> seen = head }; sleepers--; goto again
	:: else
	fi;
#endif
#if FAULT == 1
	gen = room_gen;
#endif
	if
	:: atomic { if :: (room_gen == gen) -> asleep[me] = 1 :: else fi }
	:: skip
	fi;
end:	!asleep[me];
	d_step { sleepers--; f = sleepers };
#if FAULT != 5
	if
	:: (f > 0) ->
		h = head;
		if :: h == 0 -> raise(room_flag, 1) :: else -> raise(room_flag, h) fi
	:: else
	fi;
#endif
	seen = head;
	goto again;
claimed:
#if FAULT != 6
	f = room_flag;
	if
	:: (f != 0 && t + 1 - seen < CAP && seen >= f) -> wake_room()
	:: else
	fi;
#endif
	published[t] = 1;
	f = items_flag;
	if
	:: (f != 0 && t + 1 >= f) -> wake_items()
	:: else
	fi
}

proctype R() {
	byte f, gen;
	bool again; /* it has slept since it had a chunk: what is still up it need not raise */
	do
	:: (head < LAST && published[head]) ->
		head++;
		again = 0;
		f = room_flag;
		if
		:: (f != 0 && head >= f) -> wake_room()
		:: else
		fi
	:: (head < LAST && !published[head]) ->
		gen = items_gen;
		if
#if FAULT == 8
		:: again
#else
		:: (again && items_flag == head + 1)
#endif
		:: else ->
			raise(items_flag, head + 1);
#if FAULT != 4
			if
			:: published[head] -> items_flag = 0; goto more
			:: else
			fi
#endif
		fi;
#if FAULT == 1
		gen = items_gen;
#elif FAULT == 7
		if :: again -> gen = items_gen :: else fi;
#endif
		again = 1;
		if
		:: atomic { if :: (items_gen == gen) -> reader_asleep = 1 :: else fi }
		:: skip
		fi;
end:		!reader_asleep;
more:		skip
	:: break
	od
}

proctype Monitor() {
	timeout ->
	assert(!(asleep[0] || asleep[1] || asleep[2]) || tail - head >= CAP);
	assert(!reader_asleep || !published[head])
}

init {
	atomic {
		byte i = 0;
		do :: i < CAP -> published[i] = 1; i++ :: else -> break od;
		i = 0;
		do :: i < NW -> run W(i); i++ :: else -> break od;
		run R();
		run Monitor()
	}
}
