-- Corrects what was taken of budgets, in the very slots that it was taken in; what has left its
-- window by now is not corrected.
--
-- KEYS[i]          slots of budget i
-- ARGV[2 * i - 1]  the slot that it was taken in
-- ARGV[2 * i]      units to add, less than 0 to give back
for i = 1, #KEYS do
  local slot, units = ARGV[2 * i - 1], ARGV[2 * i]
  if units ~= '0' and redis.call('HEXISTS', KEYS[i], slot) == 1 then
    redis.call('HINCRBY', KEYS[i], slot, units)
  end
end
