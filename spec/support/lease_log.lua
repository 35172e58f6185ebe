-- SPDX-License-Identifier: MIT
-- Reads the log of processes that take a mutex with a lease: "got TOKEN well|abandoned", "releasing TOKEN", "released
-- TOKEN well|expired", a line per write, so the log has the order in which things happened.

-- Returns how many were released well, and expired; raises if two that were released well overlap.
return function(path)
  local inside, last, well, expired, abandoned, ends = nil, 0, 0, 0, 0, {}
  for line in io.lines(path) do
    local token, word = line:match("^released (%d+) (.*)$")
    if token then ends[token] = word end
    if word == "well" then well = well + 1 elseif word then expired = expired + 1 end
    if word then assert(word == "well" or word == "expired", line) end
  end
  for line in io.lines(path) do
    local what, token, how = line:match("^(%a+) (%d+) ?(.*)$")
    if how == "abandoned" then abandoned = abandoned + 1 end
    if ends[token] == "well" and what == "got" then
      assert(not inside, ("%s while %s"):format(line, inside))
      assert(math.tointeger(token) > last, line)
      inside, last = token, math.tointeger(token)
    elseif ends[token] == "well" and what == "releasing" then
      inside = nil
    end
  end
  return well, expired, abandoned
end
