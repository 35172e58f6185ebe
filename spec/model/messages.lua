-- SPDX-License-Identifier: MIT
-- The books of what carries messages, a queue or one direction of a channel: which are inside, which were taken,
-- and which have to come before them. A message is a text that begins with its number; or it is empty, and then one is
-- like another of its type.

local attempt = require "spec.model.attempt"

local Messages, Send, Receive = {}, attempt.class(), attempt.class()
Messages.__index = Messages

local PADDING <const> = ("x"):rep(1 << 16)

local function remove(list, value)
  for i, other in ipairs(list) do
    if other == value then return table.remove(list, i) end
  end
end

local function fits(wanted, type)
  return wanted == 0 or wanted == type or wanted < 0 and type <= -wanted
end

-- Whether a receive of that kind has to be given `other` before `message`. Of two that were sent at the same time none
-- is the first; one that had to wait may have been given the message before the other was there.
local function precedes(self, other, message, wanted, waited)
  if other == message or not other.sent or not fits(wanted, other.type) then return false end
  if other.text == "" and self.world.threads then return false end -- may have been taken, and sent back
  if wanted < 0 and other.type ~= message.type then
    return other.type < message.type and (not waited or other.sent < message.begun)
  end
  return other.sent < message.begun
end

-- Receives that have been given something of which the books do not know yet.
local function count_woken(line, but)
  local count = 0
  for _, case in ipairs(line) do
    if case ~= but and not case.attempt.flow:is_asleep() then count = count + 1 end
  end
  return count
end

-- How many messages are surely there that such a receive could have.
function Messages:count(wanted)
  local count = 0
  for _, message in ipairs(self.inside) do
    if message.sent and fits(wanted, message.type) then count = count + 1 end
  end
  return count
end

-- Of the empty ones it may be any: the oldest.
function Messages:find(text, type)
  if text ~= "" then return self.known[text:match("^%d+:")] end
  for _, message in ipairs(self.inside) do
    if message.text == "" and message.type == type then return message end
  end
end

-- The message that was received, or looked at.
function Messages:identify(flow, text, type, wanted, case)
  local message = self:find(text, type)
  local function wrong(how) flow:fail("%s gave %q of type %d, which %s", self.name, text:sub(1, 20), type, how) end
  if not message then return wrong("was not sent there") end
  if message.text ~= text or message.type ~= type then wrong("was sent otherwise") end
  if message.taken then wrong("was received before") end
  if message.unsent then wrong("was not sent, because of " .. message.unsent) end
  if not fits(wanted, type) then wrong("was not wanted") end
  local before, waited = 0, case and case.attempt:has_waited()
  for _, other in ipairs(self.inside) do
    if precedes(self, other, message, wanted, waited) then before = before + 1 end
  end
  if before > count_woken(self.receives, case) then wrong("comes after others") end
  return message
end

local function take(self, message)
  message.taken = true
  remove(self.inside, message)
end

-- Sending --------------------------------------------------------------------------------------------------------

function Send:__tostring()
  local message = self.message
  return ("send %d of type %d, %d bytes, to %s"):format(message.number, message.type, #message.text, self.to.name)
end

function Send:call(timeout) return self.to:send(self.handle, self.message, timeout) end

function Send:won() self.message.sent = self.to.world:step() end

-- If it is empty, the one that was received may be another.
function Send:lost(why)
  local message, to = self.message, self.to
  local other = message.taken and message.text == "" and to:find("", message.type)
  if other then
    take(to, other)
    message.taken = nil
  end
  if message.taken then self.attempt.flow:fail("%s: %s, but it was received", self, why) end
  message.unsent = why
  remove(to.inside, message)
end

-- The messages of one select stand in line, too, and not always in the order of the list.
function Send:due()
  if self.doomed then return true end
  for _, other in ipairs(self.line) do
    if other.attempt ~= self.attempt then break end
    if not self.to:has_room(#other.message.text) then return false end
  end
  return self.line[1].attempt == self.attempt
end

function Messages:new_message(type, size)
  local number = self.world:next_message()
  local text = number .. ":"
  local message = {number = number, type = type, begun = self.world:step()}
  message.text = size == 0 and "" or text .. PADDING:sub(1, math.max(0, size - #text))
  self.known[text] = message
  table.insert(self.inside, message)
  return message
end

function Messages:send_case(handle, type, size)
  local message = self:new_message(type, size)
  local case = {to = self, line = self.sends, handle = handle, message = message}
  case.choice = self:send_choice(handle, message)
  return setmetatable(case, Send)
end

-- Receiving ------------------------------------------------------------------------------------------------------

function Receive:__tostring() return ("receive %d from %s"):format(self.wanted, self.from.name) end

function Receive:call(timeout) return self.from:receive(self.handle, self.wanted, timeout) end

function Receive:won(text, type)
  local from = self.from
  if self.removed then return end
  take(from, from:identify(self.attempt.flow, text, from.typed and type or 1, self.wanted, self))
end

function Receive:due()
  if self.doomed then return true end
  for _, other in ipairs(self.line) do
    if other == self then return self.from:count(self.wanted) > 0 end
    if self:after(other) then return false end
  end
end

function Receive:sure() return #self.line == 1 and self.from:count(self.wanted) > 0 end
function Receive:after(other) return other.wanted == self.wanted end

function Messages:receive_case(handle, wanted)
  local case = {from = self, line = self.receives, handle = handle, wanted = wanted}
  case.choice = self:receive_choice(handle, wanted)
  return setmetatable(case, Receive)
end

-- The end of a handle, or of all.
function Messages:interrupt(word, handle)
  for _, line in ipairs{self.sends, self.receives} do
    for _, case in ipairs(line) do
      if not handle or case.handle == handle then case:interrupt(word) end
    end
  end
end

-- Takes what is left, and sees that nothing is lost.
function Messages:drain(flow, receive)
  for text, type in receive do take(self, self:identify(flow, text, self.typed and type or 1, 0)) end
  if self.inside[1] then flow:fail("message %d is lost in %s", self.inside[1].number, self.name) end
end

function Messages:clear()
  self.known, self.inside, self.sends, self.receives = {}, {}, {}, {}
end

-- The class of a noun, which has send, receive, send_choice, receive_choice and has_room(bytes); typed: whether its
-- messages have types.
function Messages.class()
  local class = setmetatable({}, {__index = Messages})
  class.__index = class
  return class
end

return Messages
