-- SPDX-License-Identifier: MIT
-- ipctl peek, send, receive: messages of queues, as lines of JSON.

local ipc = require "ipc"
local args = require "ipctl.args"
local json = require "ipctl.json"
local keys = require "ipctl.keys"
local out = require "ipctl.out"

local queue = {}

local MOST <const> = 65535

-- Opens the queue of a key. What this handle finds is not to be judged by it: no letter is dropped, no job dies, for a
-- look; `options` may say otherwise. With a file key there are no jobs, and no such options.
function queue.open(parsed, options)
  if not parsed[1]:find("^file:") then
    options = options or {attempts = MOST, deaths = MOST}
    options.keep = math.maxinteger >> 32
  end
  options = options or {}
  options.codec, options.create = "raw", parsed.create or false
  local q = keys.open("queue", parsed[1], options)
  return q
end

function queue.type(parsed)
  local type = args.integer(parsed, "type", -math.huge)
  return type
end

-- The message as it is shown: its JSON, or a string with its bytes.
function queue.text(message)
  return json.is_valid(message) and json.line(message) or json.string(message)
end

-- The same as a field: JSON as it is; other bytes are `text`.
function queue.field(record, message)
  if json.is_valid(message) then record.message = json.raw(json.line(message)) else record.text = message end
  return record
end

function queue.show(parsed, message, type)
  if parsed.raw then
    out.write(message)
  elseif parsed.json then
    out.line(json.encode(queue.field({type = type}, message)))
  else
    out.line(queue.text(message))
  end
end

-- What a receive that got nothing means: 1 after a timeout and the like, or an error.
function queue.outcome(parsed, word, errno)
  if errno then out.fail("%s", word) end
  if word ~= "timeout" then out.fail("queue %s was %s", parsed[1], word) end
  return 1
end

function queue.peek(parsed)
  local q <close> = queue.open(parsed)
  local message, type, errno = q:peek(queue.type(parsed))
  if not message then
    if errno then out.fail("%s", type) end
    return 1
  end
  queue.show(parsed, message, type)
  return 0
end

function queue.receive(parsed)
  local type, timeout = queue.type(parsed), args.number(parsed, "timeout")
  local count = parsed.follow and math.huge or args.integer(parsed, "count", 1) or 1
  local q <close> = queue.open(parsed)
  local got = 0
  while got < count do
    local message, what, errno = q:receive(type, timeout)
    if not message then
      if got > 0 and not errno and what == "timeout" then return 0 end
      return queue.outcome(parsed, what, errno)
    end
    queue.show(parsed, message, what)
    got = got + 1
  end
  return 0
end

-- How a message is to be sent, as a job; nil: there is nothing to say.
local function how(parsed)
  local options = {
    after = args.number(parsed, "after"), at = args.number(parsed, "at"), id = parsed.id,
    attempts = args.integer(parsed, "attempts", 1),
  }
  return next(options) and options or nil
end

local function check(parsed, message)
  if not parsed.raw and not json.is_valid(message) then
    out.fail("'%s' is no JSON; --raw sends bytes as they are", #message > 60 and message:sub(1, 57) .. "..." or message)
  end
  return message
end

-- The lines of standard input: Ctrl-C ends the wait for them. A file is no channel.
local function lines()
  local input = ipc.stream_channel(io.stdin, {codec = "raw", framing = "line"})
  if not input then return io.lines() end
  return function()
    local line, what = input:receive()
    if not line and what ~= "closed" then out.fail("standard input: %s", what) end
    return line
  end
end

-- All are checked before the first is sent, if they are arguments.
local function messages(parsed)
  if #parsed == 1 then return lines() end
  for i = 2, #parsed do check(parsed, parsed[i]) end
  local i = 1
  return function()
    i = i + 1
    return parsed[i]
  end
end

function queue.send(parsed)
  local timeout, type, options = args.number(parsed, "timeout"), args.integer(parsed, "type", 1) or 1, how(parsed)
  local next_message <const> = messages(parsed)
  local q <close> = queue.open(parsed)
  for message in next_message do
    local ok, what, errno = q:send(type, check(parsed, message), timeout, options)
    if not ok and what == "exists" and not errno then
      out.note("queue %s: a message with the id %s is there", parsed[1], parsed.id)
      return 1
    end
    if not ok then return queue.outcome(parsed, what, errno) end
    if parsed.json then out.line(json.encode{id = what or json.raw("null"), type = type}) end
  end
  return 0
end

return queue
