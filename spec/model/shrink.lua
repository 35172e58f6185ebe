-- SPDX-License-Identifier: MIT
-- Makes a program that fails smaller: leaves out its operations, one after the other, as long as the rest fails in the
-- same way.

local program = require "spec.model.program"

local MOST_RUNS <const>, SECONDS <const> = 300, 60

-- Numbers are seldom the same.
local function alike(a, b) return a and b and a:gsub("%d+", "#") == b:gsub("%d+", "#") end

-- The numbers of a list's operations, those with others inside first.
local function collect(ops, numbers)
  for _, op in ipairs(ops) do
    numbers[#numbers + 1] = op.number
    for _, name in ipairs{"body", "inner", "last"} do collect(op[name] or {}, numbers) end
    for _, body in ipairs(op.bodies or {}) do collect(body, numbers) end
  end
end

local function numbers_of(seed, without)
  local set, numbers = {}, {}
  for number in without:gmatch("%d+") do set[tonumber(number)] = true end
  local p = program.make(seed, set)
  for _, ops in ipairs(p.tasks) do collect(ops, numbers) end
  collect(p.main, numbers)
  return numbers
end

-- fails(without): what the program said without these operations, or nil when it does not fail. Returns what can be
-- left out, and what it says then; nil if that is nothing, or the fault does not come each time.
return function(seed, without, complaint, fails)
  local said, runs, found, start = nil, 0, true, os.time()
  while found do
    found = false
    for _, number in ipairs(numbers_of(seed, without)) do
      local less = (without == "" and "" or without .. ",") .. number
      local lines = runs < MOST_RUNS and os.time() - start < SECONDS and fails(less)
      runs = runs + 1
      if lines and alike(lines[#lines], complaint) then without, said, found = less, lines, true end
    end
  end
  return without, said
end
