-- SPDX-License-Identifier: MIT
-- A queue: jobs of three degrees of urgency, two processes that work them off, and their reports.
-- See doc/queue.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua queue.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

-- Types of messages. A worker receives "-STOP": the lowest type up to STOP, so the most urgent job,
-- and the order to stop when no job is left. Reports have a type beyond that, for us.
local URGENT <const>, NORMAL <const>, LATER <const>, STOP <const>, REPORT <const> = 1, 2, 3, 4, 100

local path = os.tmpname()
local key = ipc.file_key(path)
local _ <close> = setmetatable({}, { __close = function() -- at the end, whatever that is: Ctrl-C, an error
  local _ <close> = ipc.signal_trap("INT") -- a Ctrl-C has to wait for this
  ipc.queue(key):remove() -- or it would stay there, for the next program that uses this key
  os.remove(path)
end })
local queue = ipc.queue(key)

for number, urgency in ipairs { LATER, NORMAL, URGENT, LATER, URGENT, NORMAL, LATER, NORMAL } do
  queue:send(urgency, { number = number })
end
queue:send(STOP, "first worker")
queue:send(STOP, "second worker")
print("most urgent:", queue:peek(-STOP).number)
print("waiting:", #queue)

local function worker(_, name)
  for job, urgency in queue:messages(-STOP) do
    if urgency == STOP then return end
    ipc.sleep(0.01) -- stands for the work
    queue:send(REPORT, { worker = name, job = job.number, urgency = urgency })
  end
end
local children = { ipc.process(worker, "first"), ipc.process(worker, "second") }
for _, child in ipairs(children) do child:wait() end

-- Which worker did what is a matter of luck, and when is not: no job was taken before a more urgent one.
local last, in_order, done = {}, true, {}
while #queue > 0 do
  local report = queue:receive(REPORT)
  in_order = in_order and report.urgency >= (last[report.worker] or URGENT)
  last[report.worker] = report.urgency
  done[#done + 1] = report.job
end
table.sort(done)
print("done:", table.concat(done, " "))
print("in order of urgency:", in_order)
print(queue:receive(0, 0.01)) -- nothing more to come
