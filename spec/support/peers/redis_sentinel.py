# SPDX-License-Identifier: MIT
# Says what sentinels say, of the master "mine": redis_sentinel.py MASTER PORT... Says its process id, then obeys a line for each
# order, and answers "ok":
#   listens PORT   waits until a client has subscribed at that one
#   switch MASTER  the master is at another port; those that have subscribed are told
#   end PORT       that one ends
import os
import socket
import sys
import threading

state = {"master": sys.argv[1]}
changed = threading.Condition()
subscribed = {}  # port -> clients
ended = {}  # port -> sockets


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words))


def serve(client, port):
    data = b""
    while True:
        piece = client.recv(4096)
        if not piece:
            break
        data += piece
        while data.count(b"\r\n") >= 1:
            count = int(data.split(b"\r\n")[0][1:])
            parts = data.split(b"\r\n", 2 * count + 1)
            if len(parts) < 2 * count + 2:
                break
            words, data = parts[2:2 * count + 2:2], parts[-1]
            if words[0].upper() == b"SENTINEL":
                client.sendall(encode("127.0.0.1", state["master"]))
            else:
                client.sendall(b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")
                with changed:
                    subscribed.setdefault(port, []).append(client)
                    changed.notify_all()


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(10)
    ended[port] = [listener]

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            ended[port].append(client)
            threading.Thread(target=serve, args=(client, port), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


def obey(word, port):
    if word == "listens":
        with changed:
            changed.wait_for(lambda: subscribed.get(port))
    elif word == "switch":
        event = "mine 127.0.0.1 %s 127.0.0.1 %s" % (state["master"], port)
        state["master"] = port
        for client in [c for clients in subscribed.values() for c in clients]:
            try:
                client.sendall(encode("message", "+switch-master", "other 127.0.0.1 1 127.0.0.1 2"))
                client.sendall(encode("message", "+switch-master", event))
            except OSError: # it has left
                pass
    else:
        subscribed.pop(port, None)
        for s in ended.pop(port):
            s.shutdown(socket.SHUT_RDWR)
            s.close()
    return "ok"


for port in sys.argv[2:]:
    listen(port)
print(os.getpid(), flush=True)
for order in sys.stdin:
    print(obey(*order.split()), flush=True)
os._exit(0)
