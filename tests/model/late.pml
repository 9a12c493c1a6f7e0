/* SPDX-License-Identifier: MIT */
/*
 * A lone writer that asks to be woken late: lib/room.c's room_sleep_late() against bs_reader_advance().
 *
 * It asks for AHEAD slots to be free, sleeps, and after a while (which may be at once, or never before
 * a post) asks for one. Meanwhile a second writer may have come, found the stream full, and sleeps
 * behind the same flag. The first may die at any step; its death is reported, with a post. The reader
 * releases as it likes, and may stop. There are no slices: who sleeps beside a free slot sleeps for ever.
 *
 * Fault FAULT=1: who asks for less does not lower the flag.
 *       FAULT=2: he who gave up waiting for many goes to sleep without asking for one.
 *       FAULT=3: no second look behind the flag.
 *       FAULT=4: a death is not reported.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef CAP
#define CAP 3
#endif
#ifndef AHEAD
#define AHEAD 2
#endif
#ifndef N
#define N 2 /* chunks of each writer */
#endif

byte head, tail = CAP, flag, sem, sleepers;
byte waiting; /* ghost: writers that are asleep for good, unless posted */

#if FAULT == 1
#define LOWER flag == 0
#else
#define LOWER flag == 0 || flag > head + ahead
#endif

inline raise() { atomic { if :: (LOWER) -> flag = head + ahead :: else fi } }
inline post() { atomic { f = flag; flag = 0; if :: f != 0 && sem < 4 -> sem++ :: else fi; f = 0 } }

#define MAYDIE if :: skip :: mortal -> goto dies fi

proctype Writer(bool late; bool mortal) {
	byte n, ahead, f;
	bool many = late;
	do
	:: n < N ->
again:		if
		:: atomic { tail - head < CAP -> tail++ }; n++; many = late;
			/* who has claimed and sees room and the flag passes the wake-up on */
			if :: flag != 0 && head >= flag && tail - head < CAP -> post() :: else fi
		:: atomic { tail - head >= CAP -> skip };
			MAYDIE;
			sleepers++;
			if :: many -> ahead = AHEAD :: else -> ahead = 1 fi;
#if FAULT == 2
			if :: many || !late -> raise() :: else fi;
#else
			raise();
#endif
			MAYDIE;
#if FAULT != 3
			if
			:: tail - head < CAP -> sleepers--; goto again
			:: else
			fi;
#endif
			waiting++;
end:			if
			:: atomic { sem > 0 -> sem--; waiting-- }
			:: atomic { many -> waiting-- } /* long enough */
			fi;
			many = 0;
			MAYDIE;
			/* room_rise(): who else sleeps lost his flag to this wake-up */
			sleepers--;
			if
			:: sleepers > 0 -> ahead = (head == 0 -> 1 : 0); raise() /* 0 is no flag */
			:: else
			fi;
			goto again
		fi
	:: n == N -> break
	od;
	goto done;
dies:	/* whoever hears of it takes the flag down and posts in any case */
#if FAULT != 4
	atomic { flag = 0; if :: sem < 4 -> sem++ :: else fi };
#endif
done:	skip
}

proctype Reader() {
	byte f;
	do
	:: head < tail ->
		head++;
		if :: flag != 0 && head >= flag -> post() :: else fi
	:: break
	od
}

proctype Monitor() { timeout -> assert(waiting == 0 || tail - head >= CAP) }

init { atomic { run Writer(1, 1); run Writer(0, 0); run Reader(); run Monitor() } }
