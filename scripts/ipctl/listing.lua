-- SPDX-License-Identifier: MIT
-- The objects that there are, for the verbs that go through them.

local keys = require "ipctl.keys"
local out = require "ipctl.out"
local server = require "ipctl.server"
local system = require "ipctl.system"

local listing = {}

local SECOND <const> = 1e9

-- Where a process may not be looked at, the kernel knows whether any has the object open, but not which.
local function ask_kernel(object)
  local unused, why = system.remove_unused(object.engine, object.noun, object.key, true, true)
  if unused then object.users = 0 end
  object.in_use = why == "in use" or nil
end

-- An orphan is open in no process. Of a queue of System V, and of what is on a disk or a server, that is not known.
local function complete(object)
  object.made = object.made and object.made / SECOND
  if not object.users and object.engine == "shm" then ask_kernel(object) end
  object.in_use = object.in_use or (object.users or 0) > 0
  object.orphan = object.users == 0 and object.engine ~= "disk"
  if object.abandoned then object.abandoned = object.abandoned ~= 0 end
  return object
end

local function order(a, b)
  if a.key ~= b.key then return a.key < b.key end
  return a.noun < b.noun
end

local read_noun = {}

function read_noun.queue(object, opened)
  for name, value in pairs(opened:stat() or {}) do object[name] = value end
  object.size = object.bytes or 0
  object.holds = (object.messages or 1) + (object.taken or 0) + (object.delayed or 0) + (object.dead or 0) > 0
end

function read_noun.shared_data(object, opened)
  object.names = opened:count()
  object.holds = object.names ~= 0
end

function read_noun.shared_memory(object, opened)
  object.slots, object.size = #opened, 8 * #opened
end

function read_noun.mutex(object, opened)
  object.max, object.holder = 1, opened:holder()
  object.held = object.holder and 1 or 0
end

function read_noun.semaphore(object, opened, max)
  object.max, object.held = max, max - (opened:value() or max)
end

-- What is in an object on a disk or a server, which is opened for it.
local function fill(object)
  local codec = (object.noun == "queue" or object.noun == "shared_data") and "raw" or nil
  local opened <close>, more = keys.find(object.noun, object.url or object.key, {codec = codec})
  object.url = nil
  if opened then read_noun[object.noun](object, opened, more) else object.fault = more end
  return object
end

-- The objects of a place: of a folder, "disk:/path", or a server, a URL with or without a name.
local function find(place)
  if place:find("^disk:") then return out.check(system.list(keys.of(place).path)) end
  if place:find("^redis") then return server.list(place) end
  out.fail("%s is no place: a folder is disk:/path, a server is redis://host", place)
end

-- The objects of this machine, or of the places that are given; `all`: those of other programs, too.
function listing.all(places, all)
  local list = {}
  local function add(found)
    for _, object in ipairs(found) do
      if all or not object.foreign then list[#list + 1] = complete(object) end
    end
  end
  if #places == 0 then add(out.check(system.list())) end
  for _, place in ipairs(places) do
    local found = find(place)
    for _, object in ipairs(found) do fill(object) end
    add(found)
  end
  table.sort(list, order)
  return list
end

return listing
