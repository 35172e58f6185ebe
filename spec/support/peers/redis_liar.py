# SPDX-License-Identifier: MIT
# Stands between programs and a server, both at Unix sockets, and does not tell the truth: redis_liar.py LISTEN SERVER. Says its
# process id, then obeys a line for each order, and answers "ok":
#   extra BYTES    says this to all that are connected, unasked
#   instead BYTES  from now on says this whenever the server says something; over new connections, too, once HELLO is answered
#   flood BYTES|MORE  the same, and MORE without end
#   mute           from now on drops what the server says
#   swallow BYTES  the same, and what is asked with these bytes in it
#   deaf           the same on connections that have subscribed
#   close          from now on closes a connection when it has asked something behind HELLO
#   go             tells the truth again
#   count          answers how many connections there have been
import os
import socket
import sys
import threading

listen_at, server_at = sys.argv[1], sys.argv[2]
state = {"mode": "go", "bytes": b"", "count": 0}
clients = set()


def upwards(client, server, own):
    try:
        while True:
            data = client.recv(65536)
            if not data:
                break
            own["subscribed"] |= b"SUBSCRIBE" in data
            if state["mode"] == "close" and own["greeted"]:
                break
            if state["mode"] == "swallow" and state["bytes"] in data:
                continue
            server.sendall(data)
    except OSError:
        pass
    for s in (client, server):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def lie(client, data):
    mode = state["mode"]
    if mode == "instead":
        client.sendall(state["bytes"])
    elif mode == "flood":
        first, _, rest = state["bytes"].partition(b"|")
        client.sendall(first)
        while state["mode"] == "flood":
            client.sendall(rest * 1000)
    elif mode not in ("mute", "swallow"):
        client.sendall(data)


def serve(client):
    server = socket.socket(socket.AF_UNIX)
    own = {"greeted": False, "subscribed": False}
    try:
        server.connect(server_at)
        threading.Thread(target=upwards, args=(client, server, own), daemon=True).start()
        while True:
            data = server.recv(65536)
            if not data:
                break
            if not own["greeted"]:
                own["greeted"] = b"used_memory" in data # before it is said: the client may ask at once
                client.sendall(data)
            elif not (state["mode"] == "deaf" and own["subscribed"]):
                lie(client, data)
    except OSError:
        pass
    clients.discard(client)
    client.close()
    server.close()


def accept(listener):
    while True:
        client, _ = listener.accept()
        state["count"] += 1
        clients.add(client)
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def obey(line):
    word, _, text = line.partition(" ")
    data = text.encode().decode("unicode_escape").encode("latin-1")
    if word == "extra":
        for client in list(clients):
            try:
                client.sendall(data)
            except OSError: # it has been closed meanwhile
                pass
    elif word == "count":
        return str(state["count"])
    else:
        state["bytes"] = data
        state["mode"] = word
    return "ok"


listener = socket.socket(socket.AF_UNIX)
listener.bind(listen_at)
listener.listen(100)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print(os.getpid(), flush=True)
for order in sys.stdin:
    print(obey(order.rstrip("\n")), flush=True)
os.unlink(listen_at)
os._exit(0)
