-- SPDX-License-Identifier: MIT
-- The listeners of one handler. A delivery calls them newest first; one that returns true ends it; one that fails is
-- reported and does not keep the signal from the others. A delivery is to those that are there when it begins: a list
-- that one has walked is not changed any more, but replaced.
--
-- A list is an array, with false in the place of a listener that was removed; newest[fn] is the last place of a
-- listener, and older[i] the one before place i of the same one.

local ipc, core = ...

local trace, cancelled = core.trace, ipc.cancelled

local function describe(err)
  if err == cancelled then return err end
  return trace(err)
end

-- Where there is no memory for it, it is as before; 0 is no place.
local function append(list, fn)
  local i, newest, older = #list + 1, list.newest, list.older
  newest[fn] = newest[fn] or 0
  older[i] = newest[fn]
  list[i] = fn
  newest[fn] = i
  list.count = list.count + 1
end

local function copy(list)
  local new = {newest = {}, older = {}, count = 0}
  for _, fn in ipairs(list) do
    if fn then append(new, fn) end
  end
  return new
end

local function changeable(list)
  return list.newest and not list.walked and list or copy(list)
end

-- Each returns the list that there is then.
local function add(list, fn)
  list = changeable(list)
  append(list, fn)
  return list
end

-- The newest of those that are fn; nil: there is none.
local function remove(list, fn)
  if not list.newest or (list.newest[fn] or 0) == 0 then return nil end
  list = changeable(list)
  local i, before = list.newest[fn], list.older[list.newest[fn]]
  list.newest[fn] = before > 0 and before or nil
  list.older[i], list[i] = nil, false
  list.count = list.count - 1
  while list[#list] == false do list[#list] = nil end
  return #list > 2 * list.count + 8 and copy(list) or list
end

local function deliver(list, info)
  list.walked = true
  for i = #list, 1, -1 do
    local fn = list[i]
    local ok, stop = true, nil
    if fn then ok, stop = xpcall(fn, describe, info) end
    if not ok and stop == cancelled then
      if core.is_asked() then error(stop, 0) end -- else the listener ended itself, and that is not the others' end
    elseif not ok then
      core.report("listener of SIG" .. info.name .. ": " .. stop)
    elseif stop == true then
      return
    end
  end
end

return {add = add, deliver = deliver, remove = remove}
