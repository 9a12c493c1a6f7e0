# SPDX-License-Identifier: MIT
# What make install gives to others. deb.sh takes minutes, and ./check --long runs it.
dist_check_SCRIPTS += tests/install/abi.sh tests/install/boot.sh tests/install/deb.sh \
	tests/install/foreign.sh
EXTRA_DIST += tests/install/foreign.c tests/golden/libbstream.abi
debian_files = \
	debian/bstream.install \
	debian/changelog \
	debian/control \
	debian/copyright \
	debian/libbstream-dev.install \
	debian/libbstream0.install \
	debian/libbstream0.symbols \
	debian/python3-bstream.install \
	debian/rules \
	debian/source/format
EXTRA_DIST += $(debian_files)
if !SANITIZE
TESTS += tests/install/abi.sh tests/install/foreign.sh
endif
