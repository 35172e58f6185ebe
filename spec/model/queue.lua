-- SPDX-License-Identifier: MIT
-- A queue, through two handles if it has a key. It is small, so that sending has to wait now and then.

local ipc = require "ipc"
local Messages = require "spec.model.messages"

local CAPACITY <const> = 4096

local Queue = Messages.class()
Queue.typed, Queue.fair = true, true

function Queue:open() return assert(ipc.queue(self.key, {capacity = CAPACITY, codec = "raw"})) end

function Queue:handle(n) return self.handles[n % #self.handles + 1] end

function Queue:send(handle, message, timeout) return handle:send(message.type, message.text, timeout) end
function Queue:receive(handle, wanted, timeout) return handle:receive(wanted, timeout) end
function Queue:send_choice(handle, message) return {handle, "send", message.type, message.text} end
function Queue:receive_choice(handle, wanted) return {handle, "receive", wanted} end

-- What is about to be sent counts, too.
function Queue:has_room(size)
  local bytes = size
  for _, message in ipairs(self.inside) do
    if message.sent then bytes = bytes + #message.text end
  end
  return bytes <= CAPACITY
end

local SIZES <const> = {0, 20, 300, 1500, 1500, 2000, 4000}

-- What is sent and wanted is chosen by numbers.
function Queue:send_of(op)
  return self:send_case(self:handle(op[3]), op[4] % 3 + 1, SIZES[op[4] % #SIZES + 1])
end

local WANTED <const> = {0, 0, 1, 2, 3, -1, -2, -3}

function Queue:receive_of(op)
  return self:receive_case(self:handle(op[3]), WANTED[op[4] % #WANTED + 1])
end

function Queue:peek(flow, op)
  local wanted = WANTED[op[4] % #WANTED + 1]
  local text, type = self:handle(op[3]):peek(wanted)
  flow:note("peek %d in %s: %s", wanted, self.name, text and text:sub(1, 20))
  if text then return self:identify(flow, text, type, wanted) end
end

-- What is there is known when nobody is about to change it.
function Queue:check(flow)
  if self.sends[1] or self.receives[1] then return end
  local stat, bytes, count = self:handle(0):stat(), 0, #self.inside
  for _, message in ipairs(self.inside) do bytes = bytes + #message.text end
  if stat.messages ~= count or stat.bytes ~= bytes or stat.senders ~= 0 or stat.receivers ~= 0 then
    flow:fail("%s has %d messages of %d bytes, %d senders, %d receivers: but it has %d of %d bytes and nobody waits",
      self.name, stat.messages, stat.bytes, stat.senders, stat.receivers, count, bytes)
  end
end

-- A handle is closed, and opened anew.
function Queue:reopen(flow, n)
  if #self.handles == 1 then return end
  local at = n % #self.handles + 1
  flow:note("close %s, handle %d", self.name, at)
  self:interrupt("closed", self.handles[at])
  self.handles[at]:close()
  self.handles[at] = self:open()
end

-- It is removed with its messages; there is another one then.
function Queue:renew(flow)
  flow:note("remove %s", self.name)
  self:interrupt("removed")
  assert(self.handles[1]:remove())
  self.known, self.inside, self.sends, self.receives = {}, {}, {}, {}
  for i in ipairs(self.handles) do self.handles[i] = self:open() end
end

function Queue:finish(flow)
  self:check(flow)
  self:drain(flow, function() return self:handle(0):receive(0, 0) end)
  self:check(flow)
  self:handle(0):remove()
  for _, handle in ipairs(self.handles) do handle:close() end
end

function Queue.new(world, name, key)
  local self = Messages.init(setmetatable({name = name, key = key, handles = {}}, Queue), world)
  for i = 1, world.handles do self.handles[i] = self:open() end
  return self
end

return Queue
