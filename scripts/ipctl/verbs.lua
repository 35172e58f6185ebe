-- SPDX-License-Identifier: MIT
-- The table of verbs: --help, completion and the list of the man page come from it. usage: what follows the name; text:
-- what --help says, by default the summary; options: {name, value or nil, what it does}, or the name of a common one;
-- least, most: of arguments; command: what follows "--" is a program; module, method: where it is.

local key_of_queue <const> = "queue"

local type_option <const> = {"type", "N", "of this type; -N: the lowest type up to N"}
local raw_option <const> = {"raw", nil, "messages as their bytes, with nothing between them"}
local count_option <const> = {"count", "N", "so many, instead of one"}
local follow_option <const> = {"follow", nil, "all that come, for ever"}
local memory_option <const> = {"memory", nil, "KEY is of shared memory, NAME a slot"}
local create_option <const> = {"create", nil, "make it if it is not there"}

return {
  {
    name = "ls", usage = "[--all] [--json] [PLACE ...]", module = "ls", keys = "place",
    summary = "list the objects that there are",
    text = [[
Lists queues, locks, memory and data: in /dev/shm, and those of System V that are this runtime's, or may be. A PLACE
is a folder on a disk, disk:/PATH, or a server, redis://HOST. Disturbs nothing. State: "in use"; "orphan", which no
process has open and which holds nothing; "left", which no process has open and which holds something; "kept", on a
disk; "damaged"; "-", not known. Exit status 1: there are none.]],
    options = {{"all", nil, "objects of other programs, too"}, "json"},
  },
  {
    name = "ps", usage = "[--json] [PID]", module = "explain", method = "ps", most = 1, keys = "none",
    summary = "list processes, their tasks, and what each waits for",
    text = [[
Lists the tasks of the processes of this runtime: what each waits for, since when, and in which line. Only the processes
of this user can be read. Exit status 1: there are none.]],
    options = {"json"},
  },
  {
    name = "explain", usage = "[--json] [PID|KEY]", module = "explain", most = 1, keys = "any",
    summary = "tell why things wait: rings, and who holds what",
    text = [[
Tells what waits for what, held by whom, in which process and line: rings, which cannot end; locks whose holder is
stopped; locks that are waited for; processes that do not wait. Exit status 1: there is nothing to tell.]],
    options = {"json"},
  },
  {
    name = "map", usage = "[--dot]", module = "map", most = 0, keys = "none",
    summary = "show processes and objects as a graph",
    text = [[
Shows each object, and below it the processes that have it open, that wait for it, and that hold it. Exit status 1:
there are no objects.]],
    options = {{"dot", nil, "for Graphviz: ipctl map --dot | dot -Tsvg"}},
  },
  {
    name = "peek", usage = "[--type N] [--raw|--json] KEY", module = "queue", method = "peek", least = 1, most = 1,
    keys = key_of_queue, summary = "show the next message of a queue, which stays",
    options = {type_option, raw_option, "json"},
  },
  {
    name = "send", usage = "[options] KEY [MESSAGE ...]", module = "queue", method = "send", least = 1,
    keys = key_of_queue, summary = "send messages, of arguments or lines",
    text = [[
Sends each MESSAGE, or without any each line of standard input, as it is: it has to be JSON, or --raw. Waits while the
queue is full. A queue that is not there is an error, but with --create.]],
    options = {
      {"type", "N", "of this type, 1 by default"}, {"raw", nil, "any bytes; without it, JSON"}, create_option,
      "timeout", {"after", "SECONDS", "due so much later"}, {"at", "TIME", "due then, in seconds since 1970"},
      {"id", "TEXT", "its id; status 1 if a message has it"}, {"attempts", "N", "so often it may be taken"},
      {"json", nil, "show the id of each"},
    },
  },
  {
    name = "receive", usage = "[options] KEY", module = "queue", method = "receive", least = 1, most = 1,
    keys = key_of_queue, summary = "take messages off a queue and show them",
    text = [[
Receives a message, waiting for it, and shows it in a line: as JSON, or, if it is none, as a string of JSON. What was
received is gone, also if nobody reads it; `take` is safer.]],
    options = {type_option, count_option, follow_option, "timeout", create_option, raw_option, "json"},
  },
  {
    name = "take", usage = "[options] KEY [-- PROGRAM ARGUMENTS]", module = "jobs", method = "take", least = 1,
    most = 1, command = true, keys = key_of_queue, summary = "take a job, and run a program with it",
    text = [[
Takes a job, waiting for it. Without a program it is shown, and then done: if nobody reads it, it goes back. A PROGRAM
gets the message as a line of its standard input: if it ends with 0 the job is done, else it is retried, with the
reason. The status is the program's. INT, TERM and HUP are passed on to the program, and the job goes back. If ipctl is
killed, so is the program.]],
    options = {
      type_option, count_option, follow_option, "timeout", create_option,
      {"attempts", "N", "so often may a job be taken, 3 by default"},
      {"deaths", "N", "so many of its holders may die, 3 by default"},
      {"retry-after", "SECONDS", "when one that failed is due again"}, raw_option, "json",
    },
  },
  {
    name = "dead", usage = "[--type N] [--json] KEY", module = "jobs", method = "dead", least = 1, most = 1,
    keys = key_of_queue, summary = "list the dead letters of a queue",
    options = {{"type", "N", "of this type"}, "json"},
  },
  {
    name = "revive", usage = "KEY ID ... | --all", module = "jobs", method = "revive", least = 1, keys = key_of_queue,
    summary = "put dead letters back into their queue", options = {{"all", nil, "all of them"}},
  },
  {
    name = "drop", usage = "KEY ID ... | --all", module = "jobs", method = "drop", least = 1, keys = key_of_queue,
    summary = "drop dead letters", options = {{"all", nil, "all of them"}},
  },
  {
    name = "get", usage = "[--json|--raw] KEY [NAME ...]", module = "data", method = "get", least = 1, keys = "data",
    summary = "show names of shared data, or slots of memory",
    text = [[
Shows the value of a NAME; with several, or of all names without one, each with its name and a tab. With --memory names
are slots. Exit status 1: a name is not there.]],
    options = {{"prefix", "TEXT", "all names that begin so"}, memory_option, raw_option, "json"},
  },
  {
    name = "set", usage = "[options] KEY NAME [VALUE]", module = "data", method = "set", least = 2, most = 3,
    keys = "data", summary = "set a name of shared data, or a slot",
    text = [[
Sets a NAME to a VALUE, or without one to standard input. It has to be JSON, or --raw. Exit status 1: another
version.]],
    options = {
      {"version", "N", "only if it has this version; 0: only if it is not there"}, {"ttl", "SECONDS", "gone then"},
      {"delete", nil, "delete it"}, raw_option, {"create", "SIZE", "make it, of so many bytes or slots"}, memory_option,
      {"add", nil, "add to a slot; shows the sum"}, {"json", nil, "show its version"},
    },
  },
  {
    name = "watch", usage = "[options] KEY NAME", module = "data", method = "watch", least = 2, most = 2, keys = "data",
    summary = "show each value that a name gets",
    text = [[
Shows the value that is there, and then each that follows; an empty line when it is deleted. Of changes that follow
each other quickly it may show the last only. Exit status 1: none within --timeout.]],
    options = {memory_option, {"count", "N", "end after so many"}, "timeout", raw_option, "json"},
  },
  {
    name = "lock", usage = "[options] KEY|PATH -- PROGRAM ARGUMENTS", module = "lock", least = 1, most = 1,
    command = true, keys = "lock", summary = "run a program with a lock held",
    text = [[
Waits for the mutex of a KEY, or the file lock of a PATH, and runs the program with it held. The status is the
program's; 1: a timeout. The lock is given back when the program has ended; if ipctl is killed, so is the program.]],
    options = {{"shared", nil, "of a path: with others that share it"}, "timeout"},
  },
  {
    name = "rm", usage = "[--noun NOUN] KEY ... | --orphans [--dry-run] [START ...]", module = "rm", keys = "any",
    summary = "remove objects, or those that nobody needs",
    text = [[
Removes the object of each KEY, for all processes: their waits end with "removed". With --orphans: what no process has
open, and what holds nothing: no messages or jobs, no names, only zeros, no mutex whose holder died. A process that
opens one meanwhile keeps it, or gets a new one. With STARTs: of keys that begin so.]],
    options = {
      {"noun", "NOUN", "queue, mutex, semaphore, shared_memory or shared_data"}, {"orphans", nil, "what nobody needs"},
      {"dry-run", nil, "say only what would be removed"}, {"json", nil, "a line of JSON for each orphan"},
    },
  },
  {
    name = "doctor", usage = "[--json] [URL ...]", module = "doctor", keys = "url",
    summary = "check this machine, and servers",
    text = [[
Checks the limits of the kernel, /dev/shm, what removes objects, namespaces, stopped processes, damaged objects; and of
the server of each URL of a key whether it answers, rights, eviction and persistence. Each line is ok, a warning or an
error, and says what to do. Exit status 1: there is an error.]],
    options = {"json"},
  },
  {
    name = "completion", usage = "bash|zsh|fish|man", module = "completion", least = 1, most = 1,
    summary = "print the completion of a shell, or the man page",
    text = [[
Prints a script for the completion of bash, zsh or fish, or the man page. `make install` puts them in their places.]],
  },
}
