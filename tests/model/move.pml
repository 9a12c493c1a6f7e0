/* SPDX-License-Identifier: MIT */
/*
 * Moving the read end: the owner's word {n, attached | travelling} against every way an end can be in
 * two hands at once. The sender's message may be seen by two receivers (a descriptor can be
 * duplicated on its way), and the send may report a failure although the message got through.
 *
 * Everybody may die at any step. Never two live owners.
 *
 * FAULT=1: attach stores the word in place of swapping it.
 * FAULT=2: a send that failed takes the end back by a store.
 */
#ifndef FAULT
#define FAULT 0
#endif

mtype = { attached, travelling };
mtype state = attached;
byte n = 1;
byte owners = 1; /* ghost: live handles on the end */
byte queued;     /* copies in the socket */

inline own() { owners++; assert(owners <= 1) }

#define MAYDIE(owning) if :: skip :: d_step { if :: owning -> owners-- :: else fi }; goto dead fi

proctype Sender() {
	byte mine = 1;
	bool got_through, told_failure, back;
	MAYDIE(1);
	atomic { state = travelling; owners-- }; /* the handle is not used from here on */
	MAYDIE(0);
	if :: queued = 2; got_through = 1 :: got_through = 0 fi;
	if :: told_failure = 1 :: got_through -> told_failure = 0 fi;
	if
	:: told_failure ->
#if FAULT == 2
		atomic { state = attached; n = mine + 1; own() };
		back = 1
#else
		atomic {
			if
			:: (state == travelling && n == mine) -> state = attached; n = mine + 1; own(); back = 1
			:: else -> back = 0 /* somebody has it: the send has succeeded */
			fi
		}
#endif
	:: else
	fi;
	if :: back -> MAYDIE(1) :: else fi;
dead:	skip
}

proctype Receiver() {
	byte seen;
	mtype was;
	bool mine;
end:	atomic { queued > 0 -> queued-- };
	MAYDIE(0);
	d_step { seen = n; was = state };
	if
	:: was != travelling -> goto dead /* -EPROTO */
	:: else
	fi;
	MAYDIE(0);
#if FAULT == 1
	atomic { state = attached; n = seen + 1; own() };
	mine = 1;
#else
	atomic {
		if
		:: (state == travelling && n == seen) -> state = attached; n = seen + 1; own(); mine = 1
		:: else -> mine = 0 /* -EPROTO: another was faster */
		fi
	};
#endif
	if :: mine -> MAYDIE(1) :: else fi;
dead:	skip
}

init { atomic { run Sender(); run Receiver(); run Receiver() } }
