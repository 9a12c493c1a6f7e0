/* SPDX-License-Identifier: MIT */
/*
 * Claim, publish, and stepping over the slot of a writer that died: lib/claim.h, lib/items.c.
 * Two writers of MSGS chunks in a ring of CAP; either may die at any step; then the reader must get
 * exactly what was published, and come to the end.
 * FAULT=1: the claim before the intent. FAULT=2: no second look at seq before stepping over.
 */
#ifndef FAULT
#define FAULT 0
#endif
#define CAP 2
#define NW 2
#ifndef MSGS
#define MSGS 2
#endif
byte tail, head; byte seq[CAP]; byte intent[NW]; bool alive[NW]; bool kill_[NW];
byte committed, got; byte owner[16]; bool rdone;
proctype writer(byte me) {
  byte n=0, t=0, h=0;
  {
  do
  :: n < MSGS ->
again:
     t = tail; h = head;
     if :: (t - h) >= CAP -> (head != h || tail != t); goto again :: (t < h) -> goto again :: else fi;
#if FAULT != 1
     intent[me] = t+1;
#endif
     if :: atomic { tail == t -> tail = t+1; owner[t] = me+1 } :: atomic { tail != t -> skip }; goto again fi;
#if FAULT == 1
     intent[me] = t+1;
#endif
     skip; /* fill */
     atomic { seq[t % CAP] = t+1; committed++; }
     n++
  :: n == MSGS -> break
  od;
  } unless { kill_[me] };
  alive[me] = false
}
proctype reaper() { do :: !kill_[0] -> kill_[0]=true :: !kill_[1] -> kill_[1]=true :: break od }
proctype reader() {
  byte k, live;
  do
  :: atomic { seq[head%CAP] == head+1 -> got++; } head = head+1
  :: (seq[head%CAP] != head+1 && tail > head) ->
     k=0; live=0;
     do :: k<NW -> if :: intent[k]==head+1 -> if :: alive[k] -> live=1 :: else fi :: else fi; k++ :: else -> break od;
#if FAULT == 2
#define LOOK_AGAIN true
#else
#define LOOK_AGAIN (seq[head%CAP] != head+1)
#endif
     if :: live==0 -> if :: LOOK_AGAIN -> assert(owner[head]!=0 && !alive[owner[head]-1]); head=head+1 :: else fi :: else fi
  :: (!alive[0] && !alive[1] && tail==head) -> break
  od;
  assert(got==committed); rdone=true
}
init { atomic { alive[0]=1; alive[1]=1; run writer(0); run writer(1); run reader(); run reaper() } }
ltl done_ { <> rdone }
