-- SPDX-License-Identifier: MIT
-- How a name of shared data is updated: get, the user's function, and set if nothing came between; else once more. How
-- several names are changed together, in the same way. The functions run outside of any transaction, so they may wait.
-- And how numbers are added where each step may wait.

local ipc, core = ...

local query, swap = core.data_query, core.data_swap
local read, decode, encode, commit = core.data_read, core.data_decode, core.data_encode, core.data_commit
local check_name = core.data_check_name
local pack, unpack = table.pack, table.unpack

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

-- What a function reads and writes: `reads` has versions by name, 0: it was not there; `writes` the bytes, false: it is
-- deleted. `torn`: a name was read twice, and had changed.
local Change = {}
Change.__index = Change
Change.__name = "ipc.Change"

local function check(self, call)
  if getmetatable(self) ~= Change then
    core.fail(("calling '%s' on bad self (ipc.Change expected, got %s)"):format(call, type(self)))
  end
  if self.over then core.fail("change is over") end
end

function Change:get(name)
  check(self, "get")
  if type(name) ~= "string" then name = check_name(self.data, name) end
  local bytes, version = self.writes[name], nil
  if bytes == nil then
    local why, errno
    bytes, why, errno = read(self.data, name)
    if bytes == nil and why ~= nil then
      self.failed = {why, errno}
      return nil, why, errno
    end
    version = why or 0
    if self.reads[name] == nil then self.reads[name] = version end
    self.torn = self.torn or self.reads[name] ~= version
  end
  if not bytes then return nil end
  local value, why = decode(self.data, name, bytes)
  if value == nil then return nil, why end
  return value, version
end

-- What has been read is checked in any case: no version stands between the value and the options here.
function Change:set(name, value, options, surplus)
  check(self, "set")
  if surplus ~= nil then core.fail("set of a change takes no check: its options come after the value") end
  if type(name) ~= "string" then name = check_name(self.data, name) end
  local bytes, ttl = encode(self.data, name, value, options)
  self.writes[name], self.ttls[name] = bytes, ttl
end

function Change:delete(name, surplus)
  check(self, "delete")
  if surplus ~= nil then core.fail("delete of a change takes one name, and no check") end
  name = check_name(self.data, name)
  self.writes[name] = false
end

-- With `checks`, only whether what was read is still so.
local function finish(t, checks)
  if t.torn then return nil, "changed" end
  local list, n, reads, writes = {}, 0, t.reads, t.writes
  for name, version in pairs(reads) do
    if checks or writes[name] == nil then
      list[n + 1], list[n + 2], list[n + 3], list[n + 4] = name, version, true, 0
      n = n + 4
    end
  end
  if not checks then
    for name, bytes in pairs(writes) do
      list[n + 1], list[n + 2], list[n + 3], list[n + 4] = name, reads[name] or -1, bytes, t.ttls[name] or 0
      n = n + 4
    end
  end
  if n == 0 then return true end
  return commit(t.data, list)
end

-- An error of a function that read what never was together is none: it is called again.
local function change(data, fn)
  local shown
  local function handler(err)
    shown = type(err) == "string" and core.trace(err) or nil
    return err
  end
  for _ = 1, ATTEMPTS do
    local t = setmetatable({data = data, reads = {}, writes = {}, ttls = {}, over = false, torn = false}, Change)
    local results = pack(xpcall(fn, handler, t))
    t.over = true
    if results[2] == ipc.cancelled and not results[1] then core.raise(results[2]) end
    if t.failed and results[1] then return nil, unpack(t.failed, 1, 2) end
    local ok, why, errno = finish(t, not results[1])
    if ok or why ~= "changed" then
      if not results[1] then core.raise(results[2], shown) end
      if not ok then return nil, why, errno end
      return unpack(results, 2, results.n)
    end
  end
  core.fail(("what it reads changed at each of %d attempts: what it calls must not change it"):format(ATTEMPTS))
end

return {update = update, add = add, change = change}
