-- SPDX-License-Identifier: MIT
-- ipctl ls: the objects that there are, on every engine. Nothing is opened, made or disturbed by it.

local json = require "ipctl.json"
local listing = require "ipctl.listing"
local out = require "ipctl.out"

local ls = {}

local function count(n, word)
  return n and n > 0 and ("%d %s"):format(n, word) or nil
end

-- What is in it, in a few words.
local function content(object)
  local words = {}
  local function add(text) words[#words + 1] = text end
  if object.fault then return {object.fault, "red"} end
  if object.messages then add(object.messages .. " messages") end
  add(count(object.taken, "taken"))
  add(count(object.delayed, "delayed"))
  add(count(object.dead, "dead"))
  if object.names then add(object.names .. " names") end
  if object.slots then add(object.slots .. " slots") end
  if object.noun == "semaphore" and object.max then add(("%d of %d held"):format(object.held or 0, object.max)) end
  if object.noun == "mutex" and object.max then
    add(object.holder and "held by " .. object.holder or (object.held or 0) > 0 and "held" or "free")
  end
  if object.abandoned then add "its holder died" end
  return table.concat(words, ", ")
end

local function state(object)
  if object.fault then return {object.fault == "damaged" and "damaged" or "unusable", "red"} end
  if object.engine == "redis" then return "-" end
  if object.engine == "disk" then return object.in_use and "in use" or "kept" end
  if object.orphan then return {object.holds and "left" or "orphan", "yellow"} end
  return object.in_use and "in use" or "-"
end

local function row(object, now)
  local waiting = (object.waiters or 0) + (object.receivers or 0) + (object.senders or 0)
  return {
    object.noun, object.key, out.bytes(object.size), object.users or "-", waiting > 0 and waiting or "-",
    object.made and out.age(now - object.made) or "-", state(object), content(object),
  }
end

-- As JSON, times are seconds, and what is true or false is so.
local function record(object)
  local copy = {}
  for name, value in pairs(object) do copy[name] = value end
  copy.mode = ("%04o"):format(object.mode)
  if object.abandoned ~= nil then copy.abandoned = object.abandoned end
  if copy.pids then copy.pids = json.raw("[" .. table.concat(copy.pids, ",") .. "]") end
  return copy
end

function ls.run(parsed)
  local objects, rows, now = listing.all(parsed, parsed.all), {}, os.time()
  if parsed.json then
    for i, object in ipairs(objects) do rows[i] = record(object) end
    out.json(rows)
  elseif #objects > 0 then
    for i, object in ipairs(objects) do rows[i] = row(object, now) end
    out.table({"noun", "key", ">size", ">procs", ">wait", ">age", "state", "content"}, rows)
  end
  return #objects > 0 and 0 or 1
end

return ls
