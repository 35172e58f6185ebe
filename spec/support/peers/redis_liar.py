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
import sys

from between import listen, obey_lines, start, upwards

listen_at, server_at = sys.argv[1], sys.argv[2]
state = {"mode": "go", "bytes": b"", "count": 0}
clients = set()


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


def talk(client, server, number):
    own = {"greeted": False, "subscribed": False}
    state["count"] = number
    clients.add(client)

    def keep(data):
        own["subscribed"] |= b"SUBSCRIBE" in data
        if state["mode"] == "close" and own["greeted"]:
            return None
        return not (state["mode"] == "swallow" and state["bytes"] in data)
    start(upwards, client, server, keep)
    try:
        while data := server.recv(65536):
            if not own["greeted"]:
                own["greeted"] = b"used_memory" in data # before it is said: the client may ask at once
                client.sendall(data)
            elif not (state["mode"] == "deaf" and own["subscribed"]):
                lie(client, data)
    finally:
        clients.discard(client)


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


listen(listen_at, server_at, talk)
obey_lines(obey, listen_at)
