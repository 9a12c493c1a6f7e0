/* SPDX-License-Identifier: MIT */
/*
 * From one writer to several: bs_writer_join() against a lone writer's bs_claim(). The second writer may die
 * when it has begun the switch; a third attaches later. RULE=1: whoever finds shared less than done does
 * the whole of it; RULE=0: whoever finds it begun goes on as one of several.
 */
#ifndef RULE
#define RULE 0
#endif
#define CAP 2
byte tail; byte slot[4]; /* slot[t] holds published writer id+1, unbounded capacity 4 for clarity (no wrap) */
bool lock[3]; bool inside; byte shared; byte lostpub; bool clobber;
#define PUB(t,v) atomic { if :: slot[t]!=0 -> clobber=1 :: else fi; slot[t]=v }
proctype W0() { byte t; byte n;
  do :: n<1 ->
     n++;
     inside=1;
     if :: shared>0 -> inside=0; goto sh :: else fi;
     t=tail;
     if :: skip :: goto dead fi;
     PUB(t,1);
     if :: skip :: goto dead fi;
     tail=t+1;
     inside=0
  :: n>=1 -> break od;
  goto out;
sh: atomic { t=tail; tail=tail+1 }; PUB(t,1); goto out;
dead: lock[0]=0;
out: skip }
proctype Wn(byte i) { byte t;
  lock[i]=1;
  if :: ((lock[0]||lock[1]&&i!=1||lock[2]&&i!=2) || shared>0) ->
#if RULE==0
     if :: shared==0 -> shared=1; if :: i==1 -> goto die :: skip fi;
        (!inside || !lock[0]);
        do :: slot[tail]!=0 -> tail=tail+1 :: else -> break od
     :: else fi
#else
     if :: shared<2 -> shared=1; if :: i==1 -> goto die :: skip fi;
        (!inside || !lock[0]);
        do :: atomic { slot[tail]!=0 -> tail=tail+1 } :: slot[tail]==0 -> break od; shared=2
     :: else fi
#endif
     ; atomic { t=tail; tail=tail+1 }; PUB(t,i+1)
  :: else -> /* alone: roll and write as single; not the point here */
     do :: atomic { slot[tail]!=0 -> tail=tail+1 } :: slot[tail]==0 -> break od; atomic { t=tail; tail=tail+1 }; PUB(t,i+1)
  fi; goto out;
die: lock[i]=0;
out: skip }
active proctype M() { timeout -> assert(!clobber) }
init { atomic { lock[0]=1; run W0(); run Wn(1) }; (_nr_pr<=4 ) -> run Wn(2) }
