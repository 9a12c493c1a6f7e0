# SPDX-License-Identifier: MIT
# The peers that bench/ compares with. None is needed: what is not there is left out.
bench_peers=

have_bench_zmq=no
PKG_CHECK_MODULES([ZMQ], [libzmq], [have_bench_zmq=yes], [:])
AS_IF([test $have_bench_zmq = yes],
	[bench_peers="${bench_peers:+$bench_peers }zeromq"
	 AC_DEFINE([HAVE_ZMQ], [1], [ZeroMQ is there, for the benchmark])])
AM_CONDITIONAL([BENCH_ZMQ], [test $have_bench_zmq = yes])

# nng has no .pc file in its releases before 1.7.
have_bench_nng=no
AC_CHECK_HEADER([nng/protocol/pipeline0/push.h],
	[AC_CHECK_LIB([nng], [nng_push0_open], [have_bench_nng=yes])], [],
	[#include <nng/nng.h>])
AS_IF([test $have_bench_nng = yes],
	[bench_peers="${bench_peers:+$bench_peers }nng"
	 AC_DEFINE([HAVE_NNG], [1], [nng is there, for the benchmark])
	 AC_SUBST([NNG_LIBS], [-lnng])])
AM_CONDITIONAL([BENCH_NNG], [test $have_bench_nng = yes])

have_bench_qb=no
PKG_CHECK_MODULES([QB], [libqb], [have_bench_qb=yes], [:])
AS_IF([test $have_bench_qb = yes],
	[bench_peers="${bench_peers:+$bench_peers }libqb"
	 AC_DEFINE([HAVE_QB], [1], [libqb is there, for the benchmark])])
AM_CONDITIONAL([BENCH_QB], [test $have_bench_qb = yes])

# Headers alone, and a C++ compiler for the one file that includes them.
AC_LANG_PUSH([C++])
have_bench_boost=no
AC_CHECK_HEADER([boost/interprocess/ipc/message_queue.hpp], [have_bench_boost=yes])
AC_LANG_POP([C++])
AS_IF([test $have_bench_boost = yes],
	[bench_peers="${bench_peers:+$bench_peers }boost"
	 AC_DEFINE([HAVE_BOOST_INTERPROCESS], [1], [Boost.Interprocess is there, for the benchmark])])
AM_CONDITIONAL([BENCH_BOOST], [test $have_bench_boost = yes])

# mq_open is in librt before glibc 2.34.
bench_saved_LIBS=$LIBS
AC_SEARCH_LIBS([mq_open], [rt])
LIBS=$bench_saved_LIBS
AS_IF([test "x$ac_cv_search_mq_open" = x-lrt], [AC_SUBST([BENCH_RT_LIBS], [-lrt])])
AC_SUBST([BENCH_RT_LIBS])
AC_SUBST([NNG_LIBS])
