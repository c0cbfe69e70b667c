-- Takes units of every budget, or of none; of no units it only says how things stand.
-- budgets.py puts window.lua in front.
--
-- KEYS[i]          slots of budget i
-- ARGV[1]          units; 0: take nothing
-- ARGV[2]          how many slots count, the present one included
-- ARGV[2 * i + 1]  microseconds of a slot of budget i
-- ARGV[2 * i + 2]  units allowed of budget i, in all slots that count
-- Returns microseconds until the units (or one, if none were asked for) are there and the number
-- of the budget that makes for it (0, 0: now), then the units of each that are in use.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local units, counted = tonumber(ARGV[1]), tonumber(ARGV[2])
local wait, emptiest = 0, 0
local slots, answer = {}, {}

for i = 1, #KEYS do
  local length, allowed = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local refused, present, used =
    window.wait(KEYS[i], now, math.max(units, 1), length, counted, allowed, allowed)
  if refused > wait then
    wait, emptiest = refused, i
  end
  slots[i], answer[i + 2] = present, used
end

if wait == 0 and units > 0 then
  for i, present in ipairs(slots) do
    window.take(KEYS[i], present, units, tonumber(ARGV[2 * i + 1]), counted)
  end
end
answer[1], answer[2] = wait, emptiest
return answer
