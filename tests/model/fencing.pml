/* SPDX-License-Identifier: MIT */
/*
 * Who pays for the barrier: the publishers' `fencing` words against a sleeper who asks for them, on
 * processors with store buffers (lib/claim.c, bs_writers_fence(), lib/items.c).
 *
 * Two publishers, the second of which comes later; each stores into a buffer that the machine empties
 * when it likes, in order. A full fence, a compare-and-swap and the sleeper's membarrier empty it. A
 * publisher that had to wake makes real fences from its next chunk on and says so; it stops when it
 * likes. Either may die at any step: the kernel empties its buffer, and its death is news.
 * There are no slices: who sleeps beside a chunk sleeps for ever.
 *
 * Fault FAULT=1: a publisher says that it fences no more behind its fence, not before it.
 *       FAULT=2: the sleeper asks before he raises his flag.
 *       FAULT=3: who says that it fences does so one chunk later.
 *       FAULT=4: who comes does not wake whoever sleeps.
 *       FAULT=5: no membarrier.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef N
#define N 3 /* chunks of the first; of the second, one */
#endif

#define LINE  0 /* what a buffered store is of */
#define SEQ   1
#define FENCE 2

chan buffer[2] = [3] of { byte, byte };
bool taken[2], fencing[2], dead[2];
byte published[2]; /* as everybody sees it */
byte flag, sem, got;
bool asleep;

inline apply(k, what, value) {
	if
	:: what == LINE -> taken[k] = value
	:: what == SEQ -> published[k] = value
	:: what == FENCE -> fencing[k] = value
	fi
}

inline drain(k, what, value) {
	do
	:: nempty(buffer[k]) -> buffer[k] ? what, value; apply(k, what, value)
	:: empty(buffer[k]) -> break
	od;
	what = 0; value = 0
}

/* Take the flag down, and post if it was up; or, as one who brings news, in any case. */
inline wake(k, news) {
	atomic {
		drain(k, what, value);
		if :: (flag != 0 || news) && sem < 3 -> sem++ :: else fi;
		flag = 0
	}
}

#define MAYDIE if :: skip :: goto dies fi

/* What the processor does by itself. */
proctype Machine(byte k) {
	byte what, value;
end:	do
	:: atomic { buffer[k] ? what, value -> apply(k, what, value); what = 0; value = 0 }
	od
}

proctype Publisher(byte k; bool late) {
	byte n, what, value;
	bool fences, next;

	if
	:: late ->
		buffer[k] ! LINE, 1;
		MAYDIE;
#if FAULT != 4
		wake(k, 1)
#endif
	:: else
	fi;
	do
	:: n < (late -> 1 : N) ->
		MAYDIE;
		n++;
		buffer[k] ! SEQ, n;
		MAYDIE;
		if
		:: fences ->
#if FAULT == 1
			atomic { drain(k, what, value) };
			if :: buffer[k] ! FENCE, 0; fences = 0; next = 0 :: skip fi
#else
			if :: buffer[k] ! FENCE, 0; fences = 0; next = 0 :: skip fi;
			MAYDIE;
			atomic { drain(k, what, value) }
#endif
		:: else
		fi;
		fences = fences || next;
		if
		:: flag != 0 ->
			MAYDIE;
			wake(k, 0);
			if
			:: !fences && !next ->
				buffer[k] ! FENCE, 1;
#if FAULT == 3
				next = 1
#else
				fences = 1
#endif
			:: else
			fi
		:: else
		fi
	:: n == (late -> 1 : N) -> break
	od;
	goto done;
dies:	atomic { dead[k] = 1; drain(k, what, value) };
	wake(k, 1);
done:	skip
}

inline ask() {
	all = (!taken[0] || fencing[0]);
	all = (all && (!taken[1] || fencing[1]))
}

proctype Sleeper() {
	byte what, value;
	bool all;
again:
	if
	:: published[0] + published[1] > got -> got++; goto again
	:: else
	fi;
#if FAULT == 2
	ask();
#endif
	flag = 1;
#if FAULT != 2
	ask();
#endif
#if FAULT != 5
	if
	:: !all -> atomic { drain(0, what, value); drain(1, what, value) }
	:: else
	fi;
#endif
	if
	:: published[0] + published[1] > got -> flag = 0; goto again
	:: else
	fi;
	asleep = 1;
end:	atomic { sem > 0 -> sem--; asleep = 0 };
	goto again
}

proctype Monitor() { timeout -> assert(!asleep || published[0] + published[1] == got) }

init {
	atomic {
		taken[0] = 1;
		run Machine(0); run Machine(1);
		run Publisher(0, 0); run Publisher(1, 1);
		run Sleeper(); run Monitor()
	}
}
