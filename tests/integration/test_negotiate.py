# SPDX-License-Identifier: BSD-2-Clause
"""Which stages the MTA is told to leave out."""

import pytest

NO_DATA = 0x200


@pytest.mark.parametrize(
    "kind,left_out",
    [
        # Postfix sends DATA's macros all the same; without an answer over TCP the end of
        # each message would wait for a delayed ACK
        ("inet", False),
        ("unix", True),
    ],
)
def test_data(lab, kind, left_out):
    socket = f"unix:{lab.dir}/milter.sock" if kind == "unix" else lab.milter_socket
    lab.daemon(lab.dns(), socket=socket)
    client = lab.milter(socket=socket)
    assert bool(client.steps & NO_DATA) == left_out
    for command in (client.connect, client.helo, client.mail, client.rcpt):
        reply = command()
        assert reply is None or reply.kind == "continue", command
    reply = client.data()
    assert reply is None if left_out else reply.kind == "continue"
    assert client.end_of_message().kind == "continue"
