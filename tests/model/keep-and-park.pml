/* SPDX-License-Identifier: MIT */
/*
 * The verdict on the reader: parked, open, broken in one versioned word, probed by two while three owners in
 * turn park, close, die or stop at any step. VER=0: no version. KEEP=1: a kept read end.
 */
#ifndef VER
#define VER 1
#endif
#ifndef KEEP
#define KEEP 0
#endif
mtype = { parked, open, broken };
mtype st = parked; byte ver; bool lk; bool owner /* ghost: live owner that wrote open */; byte nst; bool brokenright; byte openers;
#define MAYBE if :: skip :: atomic { lk=0; owner=0 } goto fin :: atomic { nst<1 -> nst++; goto stopped } fi
proctype O() { byte v;
endw: atomic { !lk -> lk=1 };                 /* broker locks a fresh description */
  MAYBE;                                      /* broker or opener dies: description closes */
  if :: st!=parked -> lk=0; goto fin :: else fi;   /* read after the lock */
  MAYBE;
  atomic { st=open; ver++; owner=1; openers++ };
  MAYBE;
  if
  :: atomic { st=parked; ver++; owner=0 }; MAYBE; lk=0      /* park */
  :: atomic { owner=0; lk=0 }                                /* close: unlock, then mark (or die) */
  fi;
  goto fin;
stopped: 
ends: false;
fin: skip }
proctype P() { mtype s; byte v; byte n;
endp: do
  :: atomic { st==open -> s=st; v=ver };
     if :: s==open -> 
          if :: !lk ->
#if VER
            atomic { if :: (st==s && ver==v) ->
#else
            atomic { if :: (st==s) ->
#endif
              assert(!owner); 
#if KEEP
              st=parked; ver++
#else
              st=broken; ver++
#endif
              :: else fi }
          :: lk -> skip fi
       :: else -> skip fi
  :: st==broken -> break
  od }
proctype M() { timeout -> assert(!(st==open && !lk)) }
init { atomic { run O(); run O(); run O(); run P(); run P(); run M() } }
