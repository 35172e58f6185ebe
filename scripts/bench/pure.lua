-- SPDX-License-Identifier: MIT
-- Lua that knows nothing of ipc: calls, tables, strings, methods. Prints ns per round.
local rounds = 20

local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end

local Account = {}
Account.__index = Account
function Account:add(n) self.sum = self.sum + n end

local function round()
  local account = setmetatable({sum = 0}, Account)
  for i = 1, 100000 do account:add(i) end
  local words = {}
  for i = 1, 20000 do words[i] = ("word %d"):format(i % 100) end
  table.sort(words)
  return fib(22) + account.sum + #table.concat(words, " "):gsub("%d+", "x")
end

local start = os.clock()
for _ = 1, rounds do round() end
print((os.clock() - start) / rounds * 1e9)
