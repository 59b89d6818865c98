# SPDX-License-Identifier: BSD-2-Clause
"""What stands between a daemon and its database: passes all on, until it is told to cut, delay
or halve what goes through, or to hold it at a word."""

import socket
import threading
import time

FORWARD, BACK = "forward", "back"  # from the daemon, from the database


class Proxy:
    def __init__(self, target):
        self.target = target  # a port
        self.delay_s = 0.0
        self.gate = None  # gate(direction, data, connection) -> what of it is passed on; None: hold for good
        self.is_cut = False
        self.lock = threading.Lock()
        self.pairs = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            try:
                if self.is_cut:
                    raise OSError("cut")
                server = socket.create_connection(("127.0.0.1", self.target), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            for source, sink, way in ((client, server, FORWARD), (server, client, BACK)):
                threading.Thread(target=self._pump, args=(pair, source, sink, way), daemon=True).start()

    def _pump(self, pair, source, sink, way):
        try:
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(65536):
                if self.delay_s:
                    time.sleep(self.delay_s)
                gate = self.gate
                if gate is not None:
                    data = gate(way, data, pair)
                    if data is None:
                        time.sleep(3600)  # the thread ends with the process
                sink.sendall(data)
        except OSError:
            pass
        self._end(pair)

    def _end(self, pair):
        with self.lock:
            self.pairs.discard(pair)
        for one in pair:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    # --- what is done to it ---

    def drop(self):
        """All connections end; new ones are taken."""
        for pair in list(self.pairs):
            self._end(pair)

    def cut(self):
        self.is_cut = True
        self.drop()

    def halve(self):
        """Of the next piece, in whichever direction, half passes; then its connection is cut."""

        def half(_way, data, pair):
            self.gate = None
            threading.Timer(0.05, self._end, [pair]).start()
            return data[: len(data) // 2]

        self.gate = half

    def heal(self):
        self.is_cut = False
        self.delay_s = 0.0
        self.gate = None

    def turn_to(self, target):
        self.target = target
        self.drop()

    def hold_at(self, *words, way=FORWARD):
        """Once the words have come from the daemon, one after the other, nothing more passes in
        that direction; FORWARD: nor does the last one. Returns an event that is set then."""
        held, left = threading.Event(), list(words)

        def gate(direction, data, _pair):
            if direction == FORWARD and left and left[0] in data:
                left.pop(0)
                if not left:
                    held.set()
                    return None if way == FORWARD else data
            return None if held.is_set() and direction == way else data

        self.gate = gate
        return held

    def close(self):
        self.listener.close()
        self.drop()
