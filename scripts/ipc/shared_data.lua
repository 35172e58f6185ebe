-- SPDX-License-Identifier: MIT
-- How a name of shared data is updated: get, the user's function, and set if nothing came between; else once more. The
-- function runs outside of any transaction, so it may wait. And how numbers are added where each step may wait.

local _, core = ...

local query, swap = core.data_query, core.data_swap

-- So often may something come between. A thousand processes that all change one name do not need as many; a function
-- that changes it itself would need no end.
local ATTEMPTS <const> = 10000

local function give_up(name)
  core.fail(("'%s' changed at each of %d attempts: what it calls must not change it"):format(name, ATTEMPTS))
end

local function update(data, name, fn)
  for _ = 1, ATTEMPTS do
    local value, version, errno = query(data, name)
    if value == nil then
      if version ~= nil then return nil, version, errno end
      version = 0
    end
    value = fn(value)
    local ok, why, code = swap(data, name, value, version)
    if ok then return value end
    if why ~= "changed" then return nil, why, code end
  end
  give_up(name)
end

local function add(data, name, n, what)
  for _ = 1, ATTEMPTS do
    local value, version, errno = query(data, name)
    if value == nil then
      if version ~= nil then return nil, version, errno end
      value, version = 0, 0
    end
    if not math.type(value) then
      core.fail(("'%s' of shared data %s is a %s, not a number"):format(name, what, type(value)))
    end
    local sum = value + n
    local ok, why, code = swap(data, name, sum, version)
    if ok then return sum end
    if why ~= "changed" then return nil, why, code end
  end
  give_up(name)
end

return {update = update, add = add}
