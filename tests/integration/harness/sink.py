# SPDX-License-Identifier: BSD-2-Clause
"""The end of a mail's way: an SMTP server that keeps what Postfix hands over, so that a
test can read the headers."""

import queue
import socketserver
import threading


class Sink:
    """Mail to anyone at sink.test arrives here."""

    def __init__(self):
        self.mails = queue.Queue()
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                sink._session(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def next_mail(self, timeout=20):
        """The next mail's text, header lines unfolded as they came."""
        return self.mails.get(timeout=timeout)

    def _session(self, read, write):
        write.write(b"220 sink.test\r\n")
        for line in read:
            verb = line[:4].upper()
            if verb == b"DATA":
                write.write(b"354 go on\r\n")
                self.mails.put(self._content(read))
                write.write(b"250 kept\r\n")
            elif verb == b"QUIT":
                write.write(b"221 bye\r\n")
                return
            elif verb == b"EHLO":
                write.write(b"250-sink.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
            else:
                write.write(b"250 ok\r\n")

    @staticmethod
    def _content(read):
        lines = []
        for line in read:
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines).decode("utf-8", "backslashreplace").replace("\r\n", "\n")
