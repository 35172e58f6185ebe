# SPDX-License-Identifier: MIT
# What stands between clients and a server, both at Unix sockets: the part that redis_liar.py and redis_hostile.py share.
import os
import socket
import sys
import threading


def start(function, *args):
    threading.Thread(target=function, args=args, daemon=True).start()


# What the client says goes to the server: keep(data) is True, or False: it is dropped; or None: that is the end.
def upwards(client, server, keep=lambda data: True):
    try:
        while data := client.recv(65536):
            kept = keep(data)
            if kept is None:
                break
            if kept:
                server.sendall(data)
    except OSError:
        pass
    for s in (client, server):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


# A connection to the server for each client: talk(client, server, number) on a thread of its own, until it returns or
# raises an OSError.
def listen(listen_at, server_at, talk):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(listen_at)
    listener.listen(100)

    def serve(client, number):
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(server_at)
            talk(client, server, number)
        except OSError:
            pass
        client.close()
        server.close()

    def accept():
        number = 0
        while True:
            client, _ = listener.accept()
            number += 1
            start(serve, client, number)
    start(accept)


# Says the process id, then answers each line with obey(line); ends when there are no more.
def obey_lines(obey, path):
    print(os.getpid(), flush=True)
    for order in sys.stdin:
        print(obey(order.rstrip("\n")), flush=True)
    os.unlink(path)
    os._exit(0)
