-- SPDX-License-Identifier: MIT
-- The books of what carries messages, a queue or one direction of a channel: which message is there, who took it, and
-- which ones have to come before it. Every message has a number, and is a text that begins with it.

local attempt = require "spec.model.attempt"

local Messages = {}
Messages.__index = Messages

local Send, Receive = attempt.class(), attempt.class()
local PADDING <const> = ("x"):rep(1 << 16)

function Messages:new_message(type, size)
  local world = self.world
  world.messages = world.messages + 1
  local text = world.messages .. ":"
  local message = {number = world.messages, type = type, text = text .. PADDING:sub(1, math.max(0, size - #text))}
  self.known[message.text:sub(1, #text)] = message
  return message
end

local function remove(list, value)
  for i, other in ipairs(list) do
    if other == value then return table.remove(list, i) end
  end
end

local function fits(wanted, type)
  return wanted == 0 or wanted == type or wanted < 0 and type <= -wanted
end

-- Whether a receive of that kind must be given `other` before `message`. Of two that were sent at the same time none is
-- the first; who had to wait may have been given the message before the other came.
local function precedes(other, message, wanted, waited)
  if other == message or not other.sent or not fits(wanted, other.type) then return false end
  if wanted < 0 and other.type ~= message.type then
    return other.type < message.type and (not waited or other.sent < message.begun)
  end
  return other.sent < message.begun
end

-- Receives that have been given something of which they do not know yet.
local function count_woken(line, but)
  local count = 0
  for _, case in ipairs(line) do
    if case ~= but and not case.attempt.flow:is_asleep() then count = count + 1 end
  end
  return count
end

function Messages:count(wanted)
  local count = 0
  for _, message in ipairs(self.inside) do
    if message.sent and fits(wanted, message.type) then count = count + 1 end
  end
  return count
end

function Messages:bytes()
  local sum = 0
  for _, message in ipairs(self.inside) do sum = sum + #message.text end
  return sum
end

-- What has been received, or looked at.
function Messages:identify(flow, text, type, wanted, but)
  local message = self.known[tostring(text):match("^%d+:")]
  local function wrong(how) flow:fail("%s gave %s (type %s), which %s", self.name, tostring(text):sub(1, 20), type, how) end
  if not message then return wrong("nobody sent there") end
  if message.text ~= text or message.type ~= type then wrong("was sent otherwise") end
  if message.taken then wrong("was received before") end
  if message.unsent then wrong("was not sent: " .. message.unsent) end
  if not fits(wanted, type) then wrong("nobody wanted") end
  local before = 0
  for _, other in ipairs(self.inside) do
    if precedes(other, message, wanted, but and but.attempt:has_waited()) then before = before + 1 end
  end
  if before > count_woken(self.receives, but) then wrong("comes after others") end
  return message
end

-- Sending --------------------------------------------------------------------------------------------------------

function Send:__tostring()
  return ("send %d of type %d to %s"):format(self.message.number, self.message.type, self.to.name)
end

function Send:call(timeout) return self.to:send(self.handle, self.message, timeout) end

function Send:won()
  self.message.sent = self.to.world:step()
end

function Send:lost(why)
  if self.message.taken then self.attempt.flow:fail("%s: %s, but it was received", self, why) end
  self.message.unsent = why
  remove(self.to.inside, self.message)
end

function Send:due()
  return self.doomed or self.line[1] == self and self.to:has_room(#self.message.text)
end

-- A message for which there is room may not pass one that came first; who selects cannot stand in the kernel's line.
function Send:after(other)
  return self.to.fair or #other.attempt.cases == 1 and #self.attempt.cases == 1
end

function Messages:send_case(handle, type, size)
  local message = self:new_message(type, size)
  message.begun = self.world:step()
  table.insert(self.inside, message)
  local case = {to = self, line = self.sends, handle = handle, message = message}
  case.choice = self:send_choice(handle, message)
  return setmetatable(case, Send)
end

-- Receiving ------------------------------------------------------------------------------------------------------

function Receive:__tostring()
  return ("receive %d from %s"):format(self.wanted, self.from.name)
end

function Receive:call(timeout) return self.from:receive(self.handle, self.wanted, timeout) end

function Receive:won(text, type)
  local from = self.from
  if self.word == "removed" then return end
  local message = from:identify(self.attempt.flow, text, from.typed and type or 1, self.wanted, self)
  message.taken = true
  remove(from.inside, message)
end

function Receive:due()
  if self.doomed then return true end
  for _, other in ipairs(self.line) do
    if other == self then return self.from:count(self.wanted) > 0 end
    if self:after(other) then return false end
  end
end

function Receive:sure()
  return #self.line == 1 and self.from:count(self.wanted) > 0
end

function Receive:after(other) return other.wanted == self.wanted end

function Messages:receive_case(handle, wanted)
  local case = {from = self, line = self.receives, handle = handle, wanted = wanted}
  case.choice = self:receive_choice(handle, wanted)
  return setmetatable(case, Receive)
end

function Messages:interrupt(word, handle)
  for _, line in ipairs{self.sends, self.receives} do
    for _, case in ipairs(line) do
      if not handle or case.handle == handle then case:interrupt(word) end
    end
  end
end

-- Takes what is left, and sees that nothing is lost.
function Messages:drain(flow, receive)
  while true do
    local text, type = receive()
    if text == nil then break end
    local message = self:identify(flow, text, self.typed and type or 1, 0)
    message.taken = true
    remove(self.inside, message)
  end
  if self.inside[1] then flow:fail("message %d is lost in %s", self.inside[1].number, self.name) end
end

-- The class of a noun, which has send, receive, send_choice, receive_choice and has_room(bytes).
function Messages.class()
  local class = setmetatable({}, {__index = Messages})
  class.__index = class
  return class
end

function Messages.init(self, world)
  self.world, self.known, self.inside, self.sends, self.receives = world, {}, {}, {}, {}
  return self
end

return Messages
