/* SPDX-License-Identifier: MIT */
/*
 * One claim of several chunks (bstream_reserve_many): lib/reserve.c, lib/claim.h, bs_writer_intends().
 * Two writers of MSGS chunks, two at a time where there is room, in a ring of CAP; either may die at any
 * step. The reader must get exactly what was published; of what was claimed together no chunk without those
 * before it; and it steps over no chunk of a living writer.
 * FAULT=1: the intent names the first only. FAULT=2: it is cleared behind the first that is published.
 * FAULT=3: the last is published first.
 */
#ifndef FAULT
#define FAULT 0
#endif
#ifndef CAP
#define CAP 2
#endif
#define NW 2
#ifndef MSGS
#define MSGS 2
#endif
#define NONE 255
byte tail, head; byte seq[CAP];
byte first[NW], more[NW]; /* the intent: one word, so stored and looked at in one step */
bool alive[NW]; bool kill_[NW];
byte committed, got; byte owner[8];
byte before[8]; /* the chunk claimed together with this one, ahead of it; NONE */
bool passed[8]; /* stepped over */

inline publish(i) { atomic { seq[(i) % CAP] = (i) + 1; committed++ } }

proctype writer(byte me) {
  byte n, t, h, k;
  {
  do
  :: n < MSGS ->
again:
     t = tail; h = head;
     if
     :: t < h -> t = 0; h = 0; goto again
     :: t >= h && t - h >= CAP -> head != h || tail != t; t = 0; h = 0; goto again
     :: t >= h && t - h < CAP
     fi;
     if
     :: (t - h) + 1 < CAP && n + 1 < MSGS -> k = 2
     :: k = 1
     fi;
#if FAULT == 1
     atomic { first[me] = t + 1; more[me] = 0 };
#else
     atomic { first[me] = t + 1; more[me] = k - 1 };
#endif
     if
     :: atomic { tail == t -> tail = t + k; owner[t] = me + 1; before[t] = NONE;
                 if :: k == 2 -> owner[t + 1] = me + 1; before[t + 1] = t :: else fi }
     :: atomic { tail != t -> k = 0; t = 0; h = 0 };
        atomic { first[me] = 0; more[me] = 0 };
        goto again
     fi;
     h = 0;
#if FAULT == 3
     if :: k == 2 -> publish(t + 1) :: else fi;
     publish(t);
#else
     publish(t);
#if FAULT == 2
     atomic { first[me] = 0; more[me] = 0 };
#endif
     if :: k == 2 -> publish(t + 1) :: else fi;
#endif
     atomic { first[me] = 0; more[me] = 0 };
     atomic { n = n + k; k = 0; t = 0 }
  :: n == MSGS -> break
  od
  } unless { kill_[me] };
  alive[me] = false
}

proctype reaper() { do :: !kill_[0] -> kill_[0] = true :: !kill_[1] -> kill_[1] = true :: break od }

proctype reader() {
  byte k, live;
  do
  :: atomic { seq[head % CAP] == head + 1 -> got++;
              if :: before[head] != NONE -> assert(!passed[before[head]]) :: else fi }
     head = head + 1
  :: (seq[head % CAP] != head + 1 && tail > head) ->
     live = 0;
     do
     :: k < NW ->
        if
        :: first[k] != 0 && first[k] <= head + 1 && head + 1 <= first[k] + more[k] ->
           if :: alive[k] -> live = 1 :: else fi
        :: else
        fi;
        k++
     :: k == NW -> k = 0; break
     od;
     if
     :: live == 0 ->
        if
        :: seq[head % CAP] != head + 1 ->
           assert(owner[head] != 0 && !alive[owner[head] - 1]);
           passed[head] = true;
           head = head + 1
        :: else
        fi
     :: else -> live = 0
     fi
  :: (!alive[0] && !alive[1] && tail == head) -> break
  od;
  assert(got == committed)
}

init { atomic { alive[0] = 1; alive[1] = 1; run writer(0); run writer(1); run reader(); run reaper() } }
