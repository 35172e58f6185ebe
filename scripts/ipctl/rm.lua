-- SPDX-License-Identifier: MIT
-- ipctl rm: removes objects by their keys, or those that no process uses and that hold nothing.

local ipc = require "ipc"
local json = require "ipctl.json"
local keys = require "ipctl.keys"
local listing = require "ipctl.listing"
local out = require "ipctl.out"
local system = require "ipctl.system"

local rm = {}

local EEXIST <const>, EINVAL <const> = 17, 22
local nouns <const> = {"queue", "mutex", "semaphore", "shared_memory", "shared_data"}
-- A set of System V that is a mutex is no semaphore, and the other way round.
local function is_other(text, noun, errno)
  return errno == EINVAL and not text:find("^shm:") or errno == EEXIST and noun == "mutex"
end

-- All that is behind a key.
local function find_all(text, wanted)
  local key, found = keys.of(text), {}
  for _, noun in ipairs(nouns) do
    if not wanted or noun == wanted then
      local object, problem, errno = keys.find(noun, key)
      if object or object == false and not is_other(text, noun, errno) then
        found[#found + 1] = {noun = noun, object = object, problem = problem}
      end
    end
  end
  return found
end

local function name_all(found)
  local names = {}
  for i, item in ipairs(found) do names[i] = item.noun end
  return table.concat(names, ", ")
end

-- One that is damaged has no handle; if no process has it, its file can go.
local function remove_unopened(text, item)
  local removed, why = system.remove_unused("shm", item.noun, text, true)
  if not removed then out.fail("%s (%s)", item.problem, why) end
end

local function remove_key(text, wanted)
  local found = find_all(text, wanted)
  if #found == 0 then
    out.note("there is no %s %s", wanted or "object", text)
    return 1
  end
  if #found > 1 then out.fail("%s is of several objects: %s; --noun says which", text, name_all(found)) end
  local item = found[1]
  if not item.object then
    remove_unopened(text, item)
    return 0
  end
  local ok, problem, errno = item.object:remove()
  item.object:close()
  if not ok and problem ~= "removed" then out.fail("%s", errno and problem or tostring(problem)) end
  return 0
end

-- A System V object whose file is not known.
local function remove_number(text, wanted)
  local status = 1
  for _, object in ipairs(listing.all({}, true)) do
    if object.key == text and (not wanted or object.noun == wanted) then
      local removed, why = system.remove_unused(object.engine, object.noun, object.key, true)
      if not removed then out.fail("%s %s: %s", object.noun, text, why) end
      status = 0
    end
  end
  if status == 1 then out.note("there is no object %s", text) end
  return status
end

-- Private data whose processes were killed goes when the next one is made.
local function sweep_private()
  local data <const> = ipc.shared_data(ipc.private, {size = 1 << 16})
  if data then data:close() end
end

-- Whether a key begins with one of these texts; none: all do.
local function begins(key, starts)
  for _, start in ipairs(starts) do
    if key:sub(1, #start) == start then return true end
  end
  return #starts == 0
end

-- What is in use, or holds something, is only known when it is removed: the listing is of a moment before.
local function remove_orphans(parsed)
  local rows, dry = {}, parsed.dry_run or false
  if not dry and #parsed == 0 then sweep_private() end
  for _, object in ipairs(listing.all({}, false)) do
    if object.orphan and not object.holds and begins(object.key, parsed) then
      local removed, why, errno = system.remove_unused(object.engine, object.noun, object.key, false, dry)
      if removed then rows[#rows + 1] = object end
      if errno then out.note("%s", why) end
    end
  end
  for _, object in ipairs(rows) do
    if parsed.json then
      out.line(json.encode{noun = object.noun, key = object.key, removed = not dry})
    else
      out.line(("%s %s %s"):format(dry and "would remove" or "removed", object.noun, json.plain(object.key)))
    end
  end
  return 0
end

function rm.run(parsed)
  if parsed.orphans then return remove_orphans(parsed) end
  if #parsed == 0 then out.fail("usage: ipctl rm [--noun NOUN] KEY ... | --orphans [--dry-run] [START ...]") end
  if parsed.dry_run then out.fail("rm: --dry-run is for --orphans") end
  local status = 0
  for _, text in ipairs(parsed) do
    local remove = text:find("^sysv:") and remove_number or remove_key
    status = math.max(status, remove(text, parsed.noun))
  end
  return status
end

return rm
