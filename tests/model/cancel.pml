/* SPDX-License-Identifier: MIT */
/*
 * Cancelling a reservation while the reader decides to step over it. ROLL=0: the slot is published to be
 * skipped; ROLL=1: tail is taken back.
 */
#ifndef ROLL
#define ROLL 1
#endif
byte tail, head, intent; byte seq[4]; bool skipf[4]; byte lost;
proctype W() { byte t;
  t=tail; intent=t+1; tail=t+1;              /* reserve */
#if ROLL
  tail=t; intent=0;                          /* cancel */
#else
  skipf[t]=1; seq[t]=t+1; intent=0; t=t+1;
#endif
  intent=t+1; tail=t+1; seq[t]=t+1           /* reserve and commit */
}
proctype R() { bool liv; byte want=1; byte got;
  do
  :: got==want -> break
  :: seq[head]==head+1 -> if :: skipf[head] -> skip :: else -> got++ fi; head++
  :: (seq[head]!=head+1 && tail>head) ->
     liv=(intent==head+1);                   /* W never dies here */
     if :: (!liv && tail>head) -> if :: seq[head]!=head+1 -> head++ :: else fi   /* looks again at tail and seq, then steps over */
        :: else fi
  od }
init { atomic { run W(); run R() } }
