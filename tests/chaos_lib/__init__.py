# SPDX-License-Identifier: BSD-2-Clause
"""The chaos test: the daemon between clients, name servers and an admin that all
misbehave, and an oracle that knows which verdicts are allowed. docs/testing.md says how
it is run and read."""
