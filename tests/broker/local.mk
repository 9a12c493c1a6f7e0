# SPDX-License-Identifier: MIT
# The broker: how it comes and goes, what it does with names, and what strangers may send it.
broker_tests = \
	tests/broker/check_access \
	tests/broker/check_closer \
	tests/broker/check_closing \
	tests/broker/check_quotas \
	tests/broker/check_keeper \
	tests/broker/check_crowd \
	tests/broker/check_log \
	tests/broker/check_metrics \
	tests/broker/check_names \
	tests/broker/check_packet \
	tests/broker/check_post \
	tests/broker/check_races \
	tests/broker/check_rights \
	tests/broker/check_rules \
	tests/broker/check_sealed \
	tests/broker/check_start \
	tests/broker/check_strangers \
	tests/broker/check_watch

# One counts system calls of the library, the other calls what the shared one does not export.
if ENABLE_STATIC
broker_tests += tests/broker/check_door tests/broker/check_versions
endif

if HAVE_CHECK
check_PROGRAMS += $(broker_tests)
TESTS += $(broker_tests)
endif
broker_raw = tests/broker/raw.c tests/broker/raw.h
broker_users = $(broker_raw) tests/broker/users.c tests/broker/users.h

tests_broker_check_access_SOURCES = tests/broker/check_access.c \
	daemon/access.c daemon/access.h daemon/rules.c daemon/rules.h
tests_broker_check_access_CFLAGS = $(guard_cflags) $(INIH_CFLAGS)
tests_broker_check_access_LDFLAGS = $(guard_ldflags)
tests_broker_check_access_LDADD = $(guard_libs) $(INIH_LIBS)
tests_broker_check_keeper_SOURCES = tests/broker/check_keeper.c $(broker_raw)
tests_broker_check_keeper_CFLAGS = $(guard_cflags)
tests_broker_check_keeper_LDFLAGS = $(guard_ldflags)
tests_broker_check_keeper_LDADD = $(guard_libs)
tests_broker_check_closer_SOURCES = tests/broker/check_closer.c \
	daemon/closer.c daemon/closer.h $(broker_raw)
tests_broker_check_closer_CFLAGS = $(guard_cflags)
tests_broker_check_closer_LDFLAGS = $(guard_ldflags)
tests_broker_check_closer_LDADD = $(guard_libs)
tests_broker_check_closing_SOURCES = tests/broker/check_closing.c $(broker_users)
tests_broker_check_closing_CFLAGS = $(guard_cflags)
tests_broker_check_closing_LDFLAGS = $(guard_ldflags)
tests_broker_check_closing_LDADD = $(guard_libs)
tests_broker_check_crowd_SOURCES = tests/broker/check_crowd.c $(broker_raw)
tests_broker_check_crowd_CFLAGS = $(guard_cflags)
tests_broker_check_crowd_LDFLAGS = $(guard_ldflags)
tests_broker_check_crowd_LDADD = $(guard_libs)
tests_broker_check_door_SOURCES = tests/broker/check_door.c $(broker_raw)
tests_broker_check_door_CFLAGS = $(guard_cflags)
tests_broker_check_door_LDFLAGS = $(guard_ldflags) -Wl,--wrap=connect
tests_broker_check_door_LDADD = $(guard_libs)
tests_broker_check_log_SOURCES = tests/broker/check_log.c $(broker_raw)
tests_broker_check_log_CFLAGS = $(guard_cflags)
tests_broker_check_log_LDFLAGS = $(guard_ldflags)
tests_broker_check_log_LDADD = $(guard_libs)
tests_broker_check_metrics_SOURCES = tests/broker/check_metrics.c $(broker_raw)
tests_broker_check_metrics_CFLAGS = $(guard_cflags)
tests_broker_check_metrics_LDFLAGS = $(guard_ldflags)
tests_broker_check_metrics_LDADD = $(guard_libs)
tests_broker_check_names_SOURCES = tests/broker/check_names.c $(broker_raw)
tests_broker_check_names_CFLAGS = $(guard_cflags)
tests_broker_check_names_LDFLAGS = $(guard_ldflags)
tests_broker_check_names_LDADD = $(guard_libs)
tests_broker_check_packet_SOURCES = tests/broker/check_packet.c $(broker_raw)
tests_broker_check_packet_CFLAGS = $(guard_cflags)
tests_broker_check_packet_LDFLAGS = $(guard_ldflags)
tests_broker_check_packet_LDADD = $(guard_libs)
tests_broker_check_races_SOURCES = tests/broker/check_races.c $(broker_raw)
tests_broker_check_races_CFLAGS = $(guard_cflags)
tests_broker_check_races_LDFLAGS = $(guard_ldflags)
tests_broker_check_races_LDADD = $(guard_libs)
tests_broker_check_quotas_SOURCES = tests/broker/check_quotas.c $(broker_users)
tests_broker_check_quotas_CFLAGS = $(guard_cflags)
tests_broker_check_quotas_LDFLAGS = $(guard_ldflags)
tests_broker_check_quotas_LDADD = $(guard_libs)
tests_broker_check_rights_SOURCES = tests/broker/check_rights.c $(broker_users)
tests_broker_check_rights_CFLAGS = $(guard_cflags)
tests_broker_check_rights_LDFLAGS = $(guard_ldflags)
tests_broker_check_rights_LDADD = $(guard_libs)
tests_broker_check_rules_SOURCES = tests/broker/check_rules.c daemon/rules.c daemon/rules.h
tests_broker_check_rules_CFLAGS = $(guard_cflags)
tests_broker_check_rules_LDFLAGS = $(guard_ldflags)
tests_broker_check_rules_LDADD = $(guard_libs)
tests_broker_check_sealed_SOURCES = tests/broker/check_sealed.c $(broker_raw)
tests_broker_check_sealed_CFLAGS = $(guard_cflags)
tests_broker_check_sealed_LDFLAGS = $(guard_ldflags)
tests_broker_check_sealed_LDADD = $(guard_libs)
tests_broker_check_post_SOURCES = tests/broker/check_post.c $(broker_raw)
tests_broker_check_post_CFLAGS = $(guard_cflags)
tests_broker_check_post_LDFLAGS = $(guard_ldflags)
tests_broker_check_post_LDADD = $(guard_libs)
tests_broker_check_start_SOURCES = tests/broker/check_start.c $(broker_raw)
tests_broker_check_start_CFLAGS = $(guard_cflags)
tests_broker_check_start_LDFLAGS = $(guard_ldflags)
tests_broker_check_start_LDADD = $(guard_libs)
tests_broker_check_strangers_SOURCES = tests/broker/check_strangers.c $(broker_raw)
tests_broker_check_strangers_CFLAGS = $(guard_cflags)
tests_broker_check_strangers_LDFLAGS = $(guard_ldflags)
tests_broker_check_strangers_LDADD = $(guard_libs)
tests_broker_check_versions_SOURCES = tests/broker/check_versions.c $(broker_raw)
tests_broker_check_versions_CFLAGS = $(guard_cflags)
tests_broker_check_versions_LDFLAGS = $(guard_ldflags)
tests_broker_check_versions_LDADD = $(guard_libs)
tests_broker_check_watch_SOURCES = tests/broker/check_watch.c $(broker_raw)
tests_broker_check_watch_CFLAGS = $(guard_cflags)
tests_broker_check_watch_LDFLAGS = $(guard_ldflags)
tests_broker_check_watch_LDADD = $(guard_libs)
