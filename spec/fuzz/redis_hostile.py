# SPDX-License-Identifier: MIT
# A hostile server: stands between a client and a real one, both at Unix sockets, and changes what the real one says:
#   redis_hostile.py LISTEN SERVER SEED
# Connection n draws what it does from SEED + n. Says its process id, then obeys lines and answers each with one:
#   count   how many connections there have been
#   lag     the longest that this process has been kept from running since the last such line, in seconds
#   truth   changes nothing from now on
import os.path
import random
import sys
import time

sys.path.insert(0, os.path.dirname(__file__) + "/../support/peers")
from between import listen, obey_lines, start, upwards

LISTEN, SERVER, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3])
state = {"count": 0, "lag": 0.0, "truth": False}

GIANTS = [b"*300000000\r\n", b"*-7\r\n", b"*8192\r\n:0\r\n", b"*8193\r\n", b"%4096\r\n",
          b"%99999999999999999999\r\n", b">9999\r\n", b"~5000000\r\n", b"$99999999999\r\n",
          b"$537919488\r\nabc", b"$-2\r\n", b"=3\r\n", b"*1\r\n" * 20, b"+" + b"x" * 70000]
ERRORS = [b"-%s\r\n" % text for text in (
    b"MOVED 1 127.0.0.1:1", b"MOVED 1 :0", b"MOVED", b"MOVED 5 " + b"h" * 300 + b":1", b"READONLY no", b"LOADING now",
    b"NOSCRIPT none", b"BUSY script", b"OOM full", b"NOAUTH who", b"NOPERM no", b"MASTERDOWN x", b"", b"MISCONF disk",
    b"ERR " + b"e" * 3000, b"ERR Error running script: x")]
WORDS = [b"", b"0", b"1", b"-1", b"abc", b"9223372036854775807", b"9" * 40, b"\0", b"x" * 5000, b"1:2", b":", b"7:7",
         b"message"]


class Cut(OSError):
    pass


class Reader:
    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise Cut
        self.data += piece

    def line(self):
        while b"\r\n" not in self.data:
            self.more()
        line, _, self.data = self.data.partition(b"\r\n")
        return line

    def value(self):  # [type, what]
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind in (b"$", b"="):
            size = int(rest)
            if size < 0:
                return [b"_", b""]
            while len(self.data) < size + 2:
                self.more()
            text, self.data = self.data[:size], self.data[size + 2:]
            return [kind, text]
        if kind in (b"*", b"~", b">", b"%"):
            count = int(rest) * (2 if kind == b"%" else 1)
            return [b"_", b""] if count < 0 else [kind, [self.value() for _ in range(count)]]
        return [kind, rest]


def encode(value):
    kind, what = value
    if kind in (b"$", b"="):
        return b"%s%d\r\n%s\r\n" % (kind, len(what), what)
    if isinstance(what, list):
        count = len(what) // 2 if kind == b"%" else len(what)
        return b"%s%d\r\n%s" % (kind, count, b"".join(map(encode, what)))
    return kind + what + b"\r\n"


def scalar(rng):
    return rng.choice([lambda: [b":", b"%d" % rng.choice([0, 1, -1, 7, 43, 11, 4096, 1 << 62, rng.randrange(-5, 200)])],
                       lambda: [b"$", rng.choice(WORDS)], lambda: [b"_", b""], lambda: [b"#", b"t"],
                       lambda: [b",", b"1.5"],
                       lambda: [b"+", b"OK"], lambda: [b"*", []], lambda: [b"-", b"ERR inner"]])()


def push(rng):
    kind = rng.choice([b"message", b"subscribe", b"unsubscribe", b"invalidate", b"pmessage", b"odd"])
    rest = [rng.choice([[b"$", b"ipclua:{n}:queue:news"], scalar(rng)]) for _ in range(rng.randrange(0, 4))]
    return encode([b">", [[b"$", kind]] + rest])


def tree(rng, value):  # changes one place of a reply
    places = []

    def walk(v):
        places.append(v)
        if isinstance(v[1], list):
            for inner in v[1]:
                walk(inner)
    walk(value)
    at = rng.choice(places)
    if isinstance(at[1], list) and at[1] and rng.random() < 0.7:
        i = rng.randrange(len(at[1]))
        rng.choice([lambda: at[1].pop(i), lambda: at[1].insert(i, at[1][i]), lambda: at[1].__setitem__(i, scalar(rng)),
                    lambda: at[1].append(scalar(rng)), lambda: at[1].clear()])()
    else:
        at[:] = scalar(rng)
    return encode(value)


def flip(rng, data):
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def flood(rng, client):
    piece = rng.choice([b"x", b":1\r\n", b"*1\r\n:0\r\n", push(rng), b"$3\r\nabc\r\n"]) * 2000
    client.sendall(rng.choice([b"", b"+", b"$500000000\r\n", b"*8000\r\n"]))
    until = time.monotonic() + rng.choice([0.02, 0.3])
    sent = 0
    while time.monotonic() < until and sent < 8 << 20:
        client.sendall(piece)
        sent += len(piece)
    raise Cut


def lie(rng, client, value, held):
    truth = encode(value)
    what = rng.randrange(13)
    if what == 0:
        client.sendall(encode(scalar(rng)))
    elif what <= 3:
        client.sendall(tree(rng, value))
    elif what == 4:
        client.sendall(rng.choice(GIANTS))
    elif what == 5:
        client.sendall(truth + rng.choice([truth, encode(scalar(rng)), push(rng)]))
    elif what == 6:
        client.sendall(truth[:rng.randrange(len(truth))])
        if rng.random() < 0.7:
            raise Cut
    elif what == 7:
        flood(rng, client)
    elif what == 8:
        client.sendall(push(rng) + truth + push(rng))
    elif what == 9:
        client.sendall(rng.choice(ERRORS))
    elif what == 10:
        held.append(truth)
    elif what == 11:
        client.sendall(flip(rng, truth))
    else:
        time.sleep(rng.choice([0.01, 0.3]))
        client.sendall(truth)


def talk(client, server, number):
    state["count"] = number
    rng = random.Random(SEED + number)
    often, greeting = rng.choice([0.03, 0.3, 0.3, 1]), rng.random() < 0.15
    held = []
    start(upwards, client, server)
    reader, replies = Reader(server), 0
    while True:
        value = reader.value()
        replies += 1
        if state["truth"] or (replies <= 4 and not greeting) or rng.random() >= often:
            client.sendall(encode(value))
        else:
            lie(rng, client, value, held)
        if held and rng.random() < 0.5:
            client.sendall(held.pop())


def watch():
    while True:
        before = time.monotonic()
        time.sleep(0.01)
        state["lag"] = max(state["lag"], time.monotonic() - before - 0.01)


def obey(word):
    if word == "truth":
        state["truth"] = True
        return "ok"
    answer = state[word]
    if word == "lag":
        state["lag"] = 0.0
    return answer


start(watch)
listen(LISTEN, SERVER, talk)
obey_lines(obey, LISTEN)
