-- Takes units at every level, or at none.  ledger.py puts window.lua in front.
--
-- KEYS[2 * i - 1]  slots of level i
-- KEYS[2 * i]      there while the provider wants level i left alone
-- ARGV[1]          units
-- ARGV[2]          how many slots count, the present one included
-- ARGV[3 * i]      microseconds of a slot of level i; 0: no limit, only a pause can refuse
-- ARGV[3 * i + 1]  units allowed at level i, in all slots that count
-- ARGV[3 * i + 2]  units that a slot gives out at least
-- Returns {0, 0} when taken, else {microseconds until it would be, number of that level}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local units, counted = tonumber(ARGV[1]), tonumber(ARGV[2])
local wait, emptiest = 0, 0

local function refuse(level, microseconds)
  if microseconds > wait then
    wait, emptiest = microseconds, level
  end
end

local slots = {}
for level = 1, #KEYS / 2 do
  refuse(level, redis.call('PTTL', KEYS[2 * level]) * 1000) -- negative: no pause

  local length, allowed = tonumber(ARGV[3 * level]), tonumber(ARGV[3 * level + 1])
  if length > 0 then
    local at_once = tonumber(ARGV[3 * level + 2])
    local refused, present =
      window.wait(KEYS[2 * level - 1], now, units, length, counted, allowed, at_once)
    refuse(level, refused)
    slots[level] = present
  end
end

if emptiest > 0 then
  return { wait, emptiest }
end
for level, present in pairs(slots) do
  window.take(KEYS[2 * level - 1], present, units, tonumber(ARGV[3 * level]), counted)
end
return { 0, 0 }
