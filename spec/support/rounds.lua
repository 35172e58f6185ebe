-- SPDX-License-Identifier: MIT
-- How often a spec repeats what is up to chance: so many times, or n times as often with ROUNDS=n in the environment.

local FACTOR <const> = tonumber(os.getenv("ROUNDS")) or 1

return function(count) return math.max(1, math.floor(count * FACTOR)) end
