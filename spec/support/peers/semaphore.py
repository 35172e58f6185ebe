# SPDX-License-Identifier: MIT
# Uses the semaphore of its first argument, a key, as it is told: acquire, try, release; "waiting" comes before it waits.
# With "make" as the second argument it makes one that has 2 permits, and one member.

import os
import sys

import sysv_ipc

make = sys.argv[2:] == ["make"]
semaphore = sysv_ipc.Semaphore(int(sys.argv[1]), sysv_ipc.IPC_CREX if make else 0, initial_value=2 if make else 0)
semaphore.undo = True


def say(word):
    print(word, flush=True)


say(os.getpid())
for line in sys.stdin:
    word = line.strip()
    if word == "acquire":
        say("waiting")
        semaphore.acquire()
        say("held")
    elif word == "try":
        try:
            semaphore.acquire(timeout=0)
            say("held")
        except sysv_ipc.BusyError:
            say("busy")
    else:
        semaphore.release()
        say("free")
