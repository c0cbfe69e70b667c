-- Takes units of every budget, or of none; of no units it only says how things stand.
-- Units may differ from budget to budget.
-- budgets.py puts window.lua in front.
--
-- KEYS[i]          slots of budget i
-- ARGV[1]          how many slots count, the present one included
-- ARGV[3 * i - 1]  units of budget i; 0: take nothing
-- ARGV[3 * i]      microseconds of a slot of budget i
-- ARGV[3 * i + 1]  units allowed of budget i, in all slots that count
-- Returns microseconds until the units (or one, if none were asked for) are there and the number
-- of the budget that makes for it (0, 0: now), then the units of each that are in use, then the
-- present slot of each.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local counted = tonumber(ARGV[1])
local wait, emptiest = 0, 0
local answer = {}

for i = 1, #KEYS do
  local units, length = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local allowed = tonumber(ARGV[3 * i + 1])
  local refused, present, used =
    window.wait(KEYS[i], now, math.max(units, 1), length, counted, allowed, allowed)
  if refused > wait then
    wait, emptiest = refused, i
  end
  answer[i + 2], answer[i + 2 + #KEYS] = used, present
end

if wait == 0 then
  for i = 1, #KEYS do
    local units = tonumber(ARGV[3 * i - 1])
    if units > 0 then
      window.take(KEYS[i], answer[i + 2 + #KEYS], units, tonumber(ARGV[3 * i]), counted)
    end
  end
end
answer[1], answer[2] = wait, emptiest
return answer
