# SPDX-License-Identifier: MIT
# A peer of ours on a System V queue, by Python's sysv_ipc. queue.py PATH PROJECT; says its process id, then obeys a line
# for each order, and a line is its answer:  send TYPE JSON · receive TYPE → TYPE JSON · remove
import json
import os
import sys

import sysv_ipc

key = sysv_ipc.ftok(sys.argv[1], int(sys.argv[2]), silence_warning=True)
queue = sysv_ipc.MessageQueue(key, max_message_size=8192)
print(os.getpid(), flush=True)
for line in sys.stdin:
    order, _, rest = line.rstrip("\n").partition(" ")
    answer = "ok"
    try:
        if order == "send":
            number, _, text = rest.partition(" ")
            queue.send(json.dumps(json.loads(text)), type=int(number))
        elif order == "receive":
            text, number = queue.receive(type=int(rest))
            answer = f"{number} {json.dumps(json.loads(text), separators=(',', ':'))}"
        else:
            queue.remove()
    except sysv_ipc.ExistentialError:
        answer = "error 43"
    print(answer, flush=True)
