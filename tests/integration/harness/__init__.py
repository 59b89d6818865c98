# SPDX-License-Identifier: BSD-2-Clause
"""What the integration tests stand on: a real Postfix, real name servers, the daemon,
and clients for SMTP and for the milter protocol. Standard library only."""
