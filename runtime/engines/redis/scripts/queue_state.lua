-- PART of all scripts of queues.
-- A queue is three keys.
--   meta   state, packed: see below; number, of 16 digits -> bytes of a message; lines of processes that wait
--          (queue_line.lua); deliveries: their names, and for each what it was given last (queue_receive.lua), and "h"
--          and its name -> when that was handed to it, in ms, until its process confirms it; turned: when the epoch
--          began (queue_sweep.lua)
--   order  number -> name, and
--   types  names: of the messages that are sorted. A name is "type:number", the type of 19 digits.
-- As long as all messages have one type they are a run: those from `first` on, up to `border` or the last, are of the
-- type `kind`, and nothing has to be sorted. From `border` on, and when they are put back, messages are sorted.
local FORMAT = '<c32c19ddddddddddddd'
local ID, KIND, CAPACITY, BYTES, COUNT, LAST, FIRST, BORDER = 1, 2, 3, 4, 5, 6, 7, 8
local SORTED, ARRIVALS, RECEIVERS, SENDERS, SENDER, RECEIVER, EPOCH = 9, 10, 11, 12, 13, 14, 15
