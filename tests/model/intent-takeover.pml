/* SPDX-License-Identifier: MIT */
/*
 * An intent that outlives its writer: whoever takes a dead writer's place must not pass for the owner of
 * its slot. CLEAR=2: the next owner clears it first; CLEAR=1: he does not.
 */
#ifndef CLEAR
#define CLEAR 0     /* 1: intent cleared when the claim is lost or the call returns; 2: also by who takes a place over */
#endif
byte head, tail; byte seq; byte intent[2]; bool lock[2]; byte got; bool idle;
byte act;
proctype W(byte i; bool mayd) { byte t;
endw: atomic { !lock[i] -> lock[i]=1 };
#if CLEAR>=2
  intent[i]=0;
#endif

  if :: skip :: goto out fi;
again:
  t=tail;
  if :: (t-head>=1) -> /* full: EAGAIN */
#if CLEAR>=1
     intent[i]=0;
#endif
     goto out
  :: else fi;
  intent[i]=t+1;
  if :: atomic { tail==t -> tail=t+1 } :: atomic { tail!=t } -> goto again fi;
  if :: mayd -> atomic { lock[i]=0 }; goto fin :: seq=t+1 fi;
out: 
enda: false; /* alive, idle for ever */
fin: skip }
proctype R() { bool liv; byte h;
  do
  :: (seq==head+1) -> head++; got++
  :: (seq!=head+1 && tail>head) ->
     /* scan */
     atomic { liv = (lock[0] && intent[0]==head+1) || (lock[1] && intent[1]==head+1);
       if :: liv -> skip :: else -> skip fi };
     if :: (!liv && seq!=head+1) -> head++   /* stepped over */
        :: (!liv && seq==head+1) -> skip
        :: liv -> (seq==head+1 || !((lock[0] && intent[0]==head+1) || (lock[1] && intent[1]==head+1)))
     fi
  :: timeout -> if :: (tail==head) -> break :: else -> assert(false) fi
  od }
init { atomic { run R(); run W(0,0); run W(1,1); run W(1,0) } }
