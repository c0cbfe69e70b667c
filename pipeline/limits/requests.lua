-- Counts one request of whoever KEYS[1] stands for.  requests.py puts window.lua in front.
--
-- ARGV[1]  microseconds of a slot
-- ARGV[2]  how many slots count, the present one included
-- ARGV[3]  requests allowed in all slots that count
-- Returns 0 when it is counted, else the microseconds until one would be.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local length, counted, allowed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local wait, present = window.wait(KEYS[1], now, 1, length, counted, allowed, allowed)
if wait == 0 then
  window.take(KEYS[1], present, 1, length, counted)
end
return wait
