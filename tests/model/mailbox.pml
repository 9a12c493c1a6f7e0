/* SPDX-License-Identifier: MIT */
/*
 * A read end on its way through a mailbox: lib/send.c, daemon/letter.c, daemon/mailbox.c, lib/mailbox.c.
 *
 * The end is one description, which lives as long as anybody holds it; its line says attached or
 * travelling. The sender says travelling, hands a copy to the broker, and waits for the answer; if that
 * is not "queued", or none, he takes the end back by the swap a receiver would use, and hangs up only
 * then. The broker gives what it queued to the owner who asks; what it cannot queue or give, because
 * sender or owner has gone, it returns: takes it by that swap, and leaves as a reader does.
 *
 * Each of the three may die at any step; what it held goes with it. Never two owners; an end that the
 * sender was told is queued was; and in the end somebody alive owns it, or it is free and its writers
 * are told: never held by one who will never use it.
 *
 * Fault FAULT=1: the sender hangs up before he takes it back.
 *       FAULT=2: the broker returns an end without the swap.
 *       FAULT=3: the sender takes it back without the swap.
 *       FAULT=4: what is queued for an owner who has gone stays queued.
 */
#ifndef FAULT
#define FAULT 0
#endif

mtype = { attached, travelling, closed };
mtype line = attached;
byte n = 1;
byte owners = 1; /* ghost: live handles */
bool held_s = 1, held_b, held_o; /* who holds a copy of the description */
bool to_broker; /* the request, with a copy, in the sender's socket */
bool to_owner; /* a message, with a copy, in the owner's socket */
bool hung_up, broker_gone, owner_gone, asked;
bool told_queued, told_refused, queued, was_queued;
byte seen;

#define MAYDIE(how) if :: skip :: goto how fi

inline take(mine) { /* the swap */
	atomic {
		if
		:: line == travelling && n == seen -> line = attached; n++; owners++; mine = 1;
			assert(owners <= 1)
		:: else -> mine = 0
		fi
	}
}

/* As a reader leaves: whoever may own it now is broken with it. */
inline leave() { atomic { assert(owners == 0); line = closed } }

proctype Sender() {
	bool back;
	atomic { line = travelling; seen = n; owners-- };
	MAYDIE(dies);
	if
	:: atomic { !broker_gone -> to_broker = 1 }
	:: broker_gone -> goto failed
	fi;
	if
	:: atomic { told_queued -> goto sent }
	:: told_refused
	:: broker_gone && !told_queued
	:: skip /* a broker that is too slow: it may have it, and go on with it */
	fi;
failed:	MAYDIE(dies);
#if FAULT == 1
	hung_up = 1;
	MAYDIE(dies);
#endif
#if FAULT == 3
	atomic { line = attached; n++; owners++; assert(owners <= 1) };
	back = 1;
#else
	take(back);
	/* Then somebody received it: it had been queued. The broker itself takes only what a sender
	 * leaves who has hung up, which we have not. */
	if :: !back -> assert(was_queued) :: else fi;
#endif
	hung_up = 1;
	if :: back -> goto owns :: else fi;
sent:	held_s = 0;
	hung_up = 1;
	goto done;
dies:	atomic { if :: line == attached && back -> owners-- :: else fi; held_s = 0; hung_up = 1 };
	goto done;
owns:	skip; /* and keeps it */
done:	skip
}

inline give_back() {
#if FAULT == 2
	atomic { if :: line != closed -> leave() :: else fi };
	mine = 0;
#else
	take(mine);
	if :: mine -> atomic { owners--; leave() }; mine = 0 :: else fi;
#endif
	held_b = 0
}

proctype Broker() {
	bool mine, mortal;
	if :: mortal = 1 :: mortal = 0 fi; /* else it would die in the end of every run */
endb:	do
	:: atomic { to_broker -> to_broker = 0; held_b = 1 };
		MAYDIE(dies);
		if
		:: owner_gone ->
			if :: atomic { !hung_up -> told_refused = 1 }; held_b = 0 :: hung_up -> give_back() fi
		:: !owner_gone ->
			/* queued when the sender has been told, and not before */
			if
			:: atomic { !hung_up -> told_queued = 1; queued = 1; was_queued = 1 }
			:: hung_up -> give_back()
			:: atomic { !hung_up -> told_refused = 1 }; held_b = 0 /* no room, or a quota */
			fi
		fi;
		MAYDIE(dies)
	:: atomic { queued && asked && !owner_gone -> queued = 0; asked = 0; to_owner = 1 };
		MAYDIE(dies);
		held_b = 0
#if FAULT != 4
	:: queued && owner_gone -> queued = 0; give_back()
#endif
	:: mortal -> goto dies
	od;
dies:	atomic { held_b = 0; broker_gone = 1; queued = 0; to_broker = 0 }
}

proctype Owner() {
	bool mine;
	asked = 1;
	MAYDIE(dies);
endo:	atomic { to_owner -> to_owner = 0; held_o = 1 };
	MAYDIE(dies);
	take(mine);
	if :: !mine -> held_o = 0 :: else -> goto done fi; /* and reads */
dies:	atomic { if :: mine -> owners-- :: else fi; held_o = 0; to_owner = 0; owner_gone = 1 };
done:	skip
}

/* Nobody moves any more. Held by whom, and for what? In a socket whose reader lives it is on its way. */
proctype Monitor() {
	timeout ->
	assert(owners <= 1);
	assert(owners == 1 || line == closed || !(held_s || held_b || held_o || to_broker || to_owner) ||
	       queued && !owner_gone)
}

init { atomic { run Sender(); run Broker(); run Owner(); run Monitor() } }
