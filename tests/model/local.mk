# SPDX-License-Identifier: MIT
models = cancel claim-and-recover claim-several fencing futex-hints hints intent-lost-claim intent-takeover keep-and-park late mailbox move \
	one-to-several poll poll-and-sleep verdicts
EXTRA_DIST += tests/model/run $(models:%=tests/model/%.pml)
