-- SPDX-License-Identifier: MIT
-- ipctl get, set, watch: names of shared data, and slots of shared memory.

local ipc = require "ipc"
local args = require "ipctl.args"
local json = require "ipctl.json"
local keys = require "ipctl.keys"
local out = require "ipctl.out"
local queue = require "ipctl.queue"

local data = {}

local EEXIST <const> = 17

local function open(parsed)
  local size = args.integer(parsed, "create", 1)
  return keys.open("shared_data", parsed[1], {codec = "raw", size = size, create = size ~= nil})
end

-- Memory is opened with its number of slots, which the failure tells to one that asks for another.
local function open_memory(parsed)
  local slots = args.integer(parsed, "create", 1)
  local key = keys.of(parsed[1])
  local memory, problem, errno = ipc.shared_memory(key, slots or 1, {create = slots ~= nil})
  local found = errno == EEXIST and not slots and problem:match(" has (%d+) slots")
  if found then memory, problem = ipc.shared_memory(key, math.tointeger(found), {create = false}) end
  return out.check(memory, problem)
end

local function slot_of(memory, text)
  local slot = math.tointeger(tonumber(text))
  if not slot or slot < 0 or slot >= #memory then
    out.fail("there is no slot %s: memory has 0 to %d", text, #memory - 1)
  end
  return slot
end

local function integer_of(text)
  return math.tointeger(tonumber(text)) or out.fail("%s is no integer of 64 bits", text)
end

-- A name with its value; alone the value, unless more than one is asked for.
local function show(parsed, name, value, version)
  if parsed.json then
    local record = type(value) == "string" and queue.field({}, value) or {value = value}
    record.name, record.version, record.value = name, version, record.value or record.message
    record.message = nil
    out.line(json.encode(record))
  elseif parsed.raw then
    out.write(value)
  else
    local text = type(value) == "string" and queue.text(value) or tostring(value)
    out.line(parsed.several and json.plain(tostring(name)) .. "\t" .. text or text)
  end
end

local function get_slots(parsed)
  local memory <close> = open_memory(parsed)
  parsed.several = #parsed ~= 2
  for i = 2, #parsed do
    local slot = slot_of(memory, parsed[i])
    show(parsed, slot, memory[slot])
  end
  for slot = 0, #parsed == 1 and #memory - 1 or -1 do show(parsed, slot, memory[slot]) end
  return 0
end

local function get_names(parsed)
  local d <close> = open(parsed)
  local status = 0
  parsed.several = #parsed ~= 2
  for i = 2, #parsed do
    local value, version, errno = d:get(parsed[i])
    if errno then out.fail("%s", version) end
    if value == nil then status = 1 else show(parsed, parsed[i], value, version) end
  end
  if #parsed > 1 then return status end
  status = 1
  for name, value, version in d:each(parsed.prefix) do
    show(parsed, name, value, version)
    status = 0
  end
  return status
end

function data.get(parsed)
  return (parsed.memory and get_slots or get_names)(parsed)
end

local function check(parsed, value)
  if not parsed.raw and not json.is_valid(value) then
    out.fail("'%s' is no JSON; --raw sets bytes as they are", value)
  end
  return value
end

-- A change that came too late is no error.
local function outcome(parsed, version, problem, errno)
  if version then
    if parsed.json then out.line(json.encode{version = version}) end
    return 0
  end
  if problem ~= "changed" then out.fail("%s", problem) end
  if errno then out.fail("%s", problem) end
  out.note("%s of %s has another version", parsed[2], parsed[1])
  return 1
end

local function set_name(parsed)
  local d <close> = open(parsed)
  local check_version, ttl = args.integer(parsed, "version"), args.number(parsed, "ttl")
  if parsed.delete then
    local deleted, problem, errno = d:delete(parsed[2], check_version)
    if errno then out.fail("%s", problem) end
    return deleted and 0 or problem == "changed" and outcome(parsed, nil, problem) or 1
  end
  local value = check(parsed, parsed[3] or io.read("a"):gsub("\n$", ""))
  return outcome(parsed, d:set(parsed[2], value, check_version, ttl and {ttl = ttl}))
end

local function set_slot(parsed)
  local memory <close> = open_memory(parsed)
  local slot, value = slot_of(memory, parsed[2]), integer_of(parsed[3] or "")
  if parsed.add then value = memory:add(slot, value) else memory[slot] = value end
  if parsed.json or parsed.add then show(parsed, slot, value) end
  return 0
end

function data.set(parsed)
  return (parsed.memory and set_slot or set_name)(parsed)
end

-- One step of a watch: a value, or that there is none any more.
local function show_change(parsed, value, version)
  if value ~= nil then
    show(parsed, parsed[2], value, version)
  else
    out.line(parsed.json and json.encode{name = parsed[2], deleted = true} or "")
  end
end

-- Each value, from the one that is there now on.
local function watch_name(parsed)
  local d <close> = open(parsed)
  local timeout, left = args.number(parsed, "timeout"), args.integer(parsed, "count", 1) or math.huge
  local value, version, errno = d:get(parsed[2])
  if errno then out.fail("%s", version) end
  while true do
    if version then
      show_change(parsed, value, version)
      left = left - 1
    end
    if left <= 0 then return 0 end
    value, version, errno = d:wait(parsed[2], version or 0, timeout)
    if value == nil and version == "timeout" then return 1 end
    if value == nil and type(version) == "string" then out.fail("%s", errno and version or "data was " .. version) end
  end
end

local function watch_slot(parsed)
  local memory <close> = open_memory(parsed)
  local timeout, left = args.number(parsed, "timeout"), args.integer(parsed, "count", 1) or math.huge
  local slot = slot_of(memory, parsed[2])
  local value = memory[slot]
  while true do
    show(parsed, slot, value)
    left = left - 1
    if left <= 0 then return 0 end
    local now, problem, errno = memory:wait(slot, value, timeout)
    if not now and problem == "timeout" then return 1 end
    if not now then out.fail("%s", errno and problem or "memory was " .. problem) end
    value = now
  end
end

function data.watch(parsed)
  return (parsed.memory and watch_slot or watch_name)(parsed)
end

return data
