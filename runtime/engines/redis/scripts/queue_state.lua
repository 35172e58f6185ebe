-- PART of all scripts of queues.
-- A queue is these keys; a script is given the first, and knows the others by their names, for each that it is given
-- takes time.
--   meta     state, packed: see below; number, of 16 digits -> a message; lines of processes that wait
--            (queue_line.lua); deliveries: their names, and for each what it was given last (queue_receive.lua), and
--            "h" and its name -> when that was handed to it, in ms, until its process confirms it; turned: when the
--            epoch began (queue_sweep.lua); swept: when a delivery that asked again had the others swept. Of jobs:
--            "j" and number -> attempt, deaths and reason of one that was taken before and is not now; "i" and id ->
--            number of the one that has it and is not dead; holders: names of processes, and "l" and the name -> when
--            the process's lease ends, in ms
--   order    number -> name, and
--   types    names: of the messages that are sorted. A name is "type:number", the type of 19 digits.
--   taken    "number:token" -> what a job is while it is taken (queue_hand.lua); and "" -> ""
--   delayed  when it is due, in ms -> name
--   dead     a number that grows -> name
-- A message begins with a byte 0 and 8 bytes, when it was sent; or with 1 and these, and its limit of attempts, of 2
-- bytes, the size of its id, of 1, and the id. It takes room (`bytes`) from its sending until it is taken or received,
-- and again when it goes back, or is dead.
-- As long as all messages have one type they are a run: those from `first` on, up to `border` or the last, are of the
-- type `kind`, and nothing has to be sorted. From `border` on, and when they are put back, messages are sorted.
local FORMAT = '<c32c19ddddddddddddc10dd'
local ID, KIND, CAPACITY, BYTES, COUNT, LAST, FIRST, BORDER = 1, 2, 3, 4, 5, 6, 7, 8
local SORTED, ARRIVALS, RECEIVERS, SENDERS, SENDER, RECEIVER, EPOCH = 9, 10, 11, 12, 13, 14, 15
-- EPOCH: ":", 8 digits, and ":". NEXT: when the first lease of a holder ends or the first delayed job is due, or
-- earlier, in ms; 0: there is none. TOKEN: the last that was given.
local NEXT, TOKEN = 16, 17
