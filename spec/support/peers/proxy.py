# SPDX-License-Identifier: MIT
# Stands between programs and a server, both at Unix sockets: proxy.py LISTEN SERVER. Says its process id, then obeys a line
# for each order, and answers "ok":
#   cut      closes all connections that there are; new ones are welcome
#   refuse   cuts, and has no socket any more, until "accept"
#   hold     passes nothing on, either way
#   deafen   passes requests on, but no answers: cut it then, and what has happened is not known
#   go       passes on what was held
#   count    answers with the number of connections
import os
import selectors
import socket
import sys

listen_at, server_at = sys.argv[1], sys.argv[2]
selector = selectors.DefaultSelector()
pairs = []
state = {"listener": None, "mode": "go"}


class End:
    # of a connection: what comes in goes to the other
    def __init__(self, sock, is_server):
        self.sock, self.is_server, self.other, self.out = sock, is_server, None, b""

    def passes(self):
        return state["mode"] == "go" or (state["mode"] == "deafen" and not self.is_server)


def close(end):
    for e in (end, end.other):
        try:
            selector.unregister(e.sock)
        except (KeyError, ValueError):
            pass
        e.sock.close()
    pairs[:] = [p for p in pairs if end not in p]


def watch(end):
    # reads while it may pass on and the other has taken what came before; writes what is left
    for e in (end, end.other):
        events = selectors.EVENT_READ if e.passes() and not e.other.out else 0
        events |= selectors.EVENT_WRITE if e.out else 0
        try:
            selector.unregister(e.sock)
        except KeyError:
            pass
        if events:
            selector.register(e.sock, events, e)


def accept():
    client, _ = state["listener"].accept()
    server = socket.socket(socket.AF_UNIX)
    try:
        server.connect(server_at)
    except OSError:
        client.close()
        server.close()
        return
    a, b = End(client, False), End(server, True)
    a.other, b.other = b, a
    for e in (a, b):
        e.sock.setblocking(False)
    pairs.append((a, b))
    watch(a)


def flush(end):
    try:
        end.out = end.out[end.sock.send(end.out):]
    except BlockingIOError:
        pass


def ready(end, events):
    try:
        if events & selectors.EVENT_WRITE:
            flush(end)
        if events & selectors.EVENT_READ and end.passes():
            data = end.sock.recv(65536)
            if not data:
                return close(end)
            end.other.out += data
            flush(end.other)
        watch(end)
    except OSError:
        close(end)


def start():
    state["listener"] = socket.socket(socket.AF_UNIX)
    state["listener"].bind(listen_at)
    state["listener"].listen(1000)
    selector.register(state["listener"], selectors.EVENT_READ, accept)


def cut():
    for a, _ in list(pairs):
        close(a)


def obey(word):
    if word in ("cut", "refuse"):
        cut()
    if word == "refuse":
        selector.unregister(state["listener"])
        state["listener"].close()
        os.unlink(listen_at)
    elif word == "accept":
        start()
    elif word in ("hold", "deafen", "go"):
        state["mode"] = word
        for a, _ in pairs:
            watch(a)
    return str(len(pairs)) if word == "count" else "ok"


def answer(text):
    print(text, flush=True)


start()
selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
answer(os.getpid())
unread = b""
while True:
    for key, events in selector.select():
        if key.data is None:
            data = os.read(key.fd, 4096)
            if not data:
                if os.path.exists(listen_at):
                    os.unlink(listen_at)
                sys.exit(0)
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                answer(obey(line.decode()))
            break
        elif key.data is accept:
            accept()
        elif any(key.data in p for p in pairs):
            ready(key.data, events)
