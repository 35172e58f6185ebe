-- SPDX-License-Identifier: MIT
-- The objects that there are, for the verbs that go through them.

local ipc = require "ipc"
local keys = require "ipctl.keys"
local out = require "ipctl.out"
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

-- What is in an object on a disk, which is opened for it.
local function fill(object)
  local options = {create = false, codec = "raw"}
  local opened <close> = ipc[object.noun](object.key, options)
  if not opened then return object end
  if object.noun == "shared_data" then
    object.names = opened:count()
    object.holds = object.names ~= 0
    return object
  end
  local stat = opened:stat()
  for name, value in pairs(stat or {}) do object[name] = value end
  object.size = object.bytes or 0
  object.holds = not stat or object.messages + object.taken + object.delayed + object.dead > 0
  return object
end

-- The folder of a disk that a place means: "disk:/path", with or without a name.
local function folder(place)
  if place:find("^disk:") then return keys.of(place).path end
  out.fail("%s is no place: a folder is disk:/path", place)
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
    local found = out.check(system.list(folder(place)))
    for _, object in ipairs(found) do fill(object) end
    add(found)
  end
  table.sort(list, order)
  return list
end

return listing
