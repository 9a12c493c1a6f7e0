/* SPDX-License-Identifier: MIT */
/*
 * The verdict on the writers: proto/verdict.c against bs_writer_settle() and bs_writer_leave(). Probing takes
 * no lock; marking is a swap of a versioned word. Three incarnations over two places, one process stopped,
 * deaths at any step. ORDER=0: right; 1: lines looked at before the range; 2: an attacher writes its line
 * before it swaps the word; 3: no version.
 */
#ifndef ORDER
#define ORDER 0   /* 0: right. 1: scan lines before GETLK (bug). 2: attacher writes line before CAS (bug). 3: no version (bug) */
#endif
byte lock[2]; byte line[2]; bool ever;
byte ver; bool ended, lost;
/* ghosts */
byte alive;      /* attached, not closed, not dead */
bool diedatt;    /* some attached writer died without closing */
bool rep; byte nst;
inline die(i, att) { atomic { lock[i]=0; if :: att -> alive--; diedatt=1 :: else fi }; goto fin }
#define MAYBE(i,att) if :: skip :: die(i,att) :: atomic { nst<1 -> nst++; goto stopped } fi
inline mark() {
  d_step { rv=ver; e=ended };
  if :: e -> goto mdone :: else fi;
#if ORDER==1
  l=(line[0]==1||line[1]==1);
#endif
  atomic { if :: (lock[0]||lock[1]) -> goto mdone :: else fi };
#if ORDER!=1
  l=0; l=(line[0]==1); l=(l||line[1]==1);
#endif
  if :: (!ever && !l) -> goto mdone :: else fi;
#if ORDER==3
  atomic { if :: (!ended) -> ended=1; if :: l -> lost=1 :: else fi; assert(alive==0) :: else fi };
#else
  atomic { if :: (ver==rv && !ended) -> ended=1; if :: l -> lost=1 :: else fi; assert(alive==0) :: else fi };
#endif
mdone: skip }
proctype W(byte i) { byte rv; bool e,l; bool att=0;
  /* attach: take place i */
  if :: atomic { lock[i]==0 -> lock[i]=1 } :: goto fin fi;
  MAYBE(i,0);
  /* predecessor died here? remembered, set with our CAS */
  l=(line[i]==1);
#if ORDER==2
  line[i]=1;
  MAYBE(i,0);
#endif
  atomic { if :: ended -> lock[i]=0; goto fin :: else -> ver++; if :: l -> lost=1 :: else fi fi };
  MAYBE(i,0);
  atomic { line[i]=1; att=1; alive++ };
  MAYBE(i,1);
  ever=1;
  MAYBE(i,1);
  /* close */
  atomic { line[i]=0; alive--; att=0 };
  MAYBE(i,0);
  lock[i]=0;
  if :: skip :: goto fin :: atomic { nst<1 -> nst++; goto stopped } fi;
  mark();
  goto fin;
stopped:
endst: false;
fin: skip }
proctype P() { byte rv; bool e,l; byte n; endp:
  do
  :: ended -> break
  :: (!ended && !lock[0] && !lock[1] && n<4) -> n++; mark()
  od;
}
proctype R() { byte rv; bool e,l; endr:
  do
  :: ended -> break
  :: (!ended && !lock[0] && !lock[1] && (ever||line[0]||line[1])) -> mark()
  od;
  assert(alive==0);
  /* report */
  if :: lost -> assert(diedatt) :: else -> assert(!diedatt) fi;
  rep=1 }
proctype M() { timeout -> assert(rep || lock[0] || lock[1] || !(ever||line[0]||line[1])) }
init { atomic { run W(0); run W(1); run W(0); run R(); run M() } }
