-- SPDX-License-Identifier: MIT
-- A queue, through several handles if it has a key. It is small, so that sending has to wait now and then.

local ipc = require "ipc"
local Messages = require "spec.model.messages"

local CAPACITY <const> = 4096
local SIZES <const> = {0, 10, 20, 300, 1500, 1500, 2000, 4000}
local WANTED <const> = {0, 0, 1, 2, 3, -1, -2, -3}

local Queue = Messages.class()
Queue.typed = true

function Queue:send(handle, message, timeout) return handle:send(message.type, message.text, timeout) end
function Queue:receive(handle, wanted, timeout) return handle:receive(wanted, timeout) end
function Queue:send_choice(handle, message) return {handle, "send", message.type, message.text} end
function Queue:receive_choice(handle, wanted) return {handle, "receive", wanted} end

local function bytes_of(messages)
  local sum = 0
  for _, message in ipairs(messages) do sum = sum + #message.text end
  return sum
end

-- What is about to be sent is not there, or counts more than once.
function Queue:has_room(size)
  local sum = 0
  for _, message in ipairs(self.inside) do
    if message.sent then sum = sum + #message.text end
  end
  return sum + size <= CAPACITY
end

function Queue:handle(n) return self.handles[n % #self.handles + 1] end
function Queue:send_of(op) return self:send_case(self:handle(op[3]), op[4] % 3 + 1, SIZES[op[4] % #SIZES + 1]) end
function Queue:receive_of(op) return self:receive_case(self:handle(op[3]), WANTED[op[4] % #WANTED + 1]) end

function Queue:peek(flow, op)
  local wanted = WANTED[op[4] % #WANTED + 1]
  local text, type = self:handle(op[3]):peek(wanted)
  flow:note("peek %d in %s: %s", wanted, self.name, text and text:sub(1, 20))
  if text then self:identify(flow, text, type, wanted) end
end

local function open(self) return assert(ipc.queue(self.key, {capacity = CAPACITY, codec = "raw"})) end

-- A handle is closed, and opened anew.
function Queue:reopen(flow, n)
  local at = n % #self.handles + 1
  if #self.handles == 1 then return end
  flow:note("close %s, handle %d", self.name, at)
  self:interrupt("closed", self.handles[at])
  self.handles[at]:close()
  self.handles[at] = open(self)
end

-- It is removed with its messages; then there is another one.
function Queue:renew(flow)
  flow:note("remove %s", self.name)
  self:interrupt("removed")
  assert(self.handles[1]:remove())
  self:clear()
  for i in ipairs(self.handles) do self.handles[i] = open(self) end
end

-- What is inside is known when no task is about to change it.
function Queue:check(flow)
  if self.sends[1] or self.receives[1] then return end
  local stat, count, bytes = self:handle(0):stat(), #self.inside, bytes_of(self.inside)
  if stat.messages ~= count or stat.bytes ~= bytes or stat.senders ~= 0 or stat.receivers ~= 0 then
    flow:fail("%s has %d messages of %d bytes, %d senders, %d receivers; it should have %d of %d, and no task waits",
      self.name, stat.messages, stat.bytes, stat.senders, stat.receivers, count, bytes)
  end
end

function Queue:finish(flow)
  self:check(flow)
  self:drain(flow, function() return self:handle(0):receive(0, 0) end)
  self:check(flow)
  self:handle(0):remove()
  for _, handle in ipairs(self.handles) do handle:close() end
end

-- options: name, key, handles: how many
function Queue.new(world, options)
  local self = setmetatable({world = world, name = options.name, key = options.key, handles = {}}, Queue)
  self:clear()
  for i = 1, options.handles do self.handles[i] = open(self) end
  return self
end

return Queue
