-- Counts an attempt to sign in, or gives one back.  attempts.py has the same for one process.
--
-- KEYS: one hash per limit: failures, and until when it is closed (ms).
-- ARGV: "take" or "forgive", first wait, longest wait and memory (ms), then per key how
-- many failures are free ("take") or 1 if all are forgotten, not only the last ("forgive").
-- Returns the milliseconds to wait; 0: the attempt is counted and may be made.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local first, longest, memory = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

if ARGV[1] == 'forgive' then
  for k, key in ipairs(KEYS) do
    local failures = tonumber(redis.call('HGET', key, 'failures') or 0)
    if ARGV[4 + k] == '1' or failures <= 1 then
      redis.call('DEL', key)
    else
      redis.call('HSET', key, 'failures', failures - 1, 'until', 0)
    end
  end
  return 0
end

local wait = 0
for _, key in ipairs(KEYS) do
  wait = math.max(wait, tonumber(redis.call('HGET', key, 'until') or 0) - now)
end
if wait > 0 then
  return wait
end
for k, key in ipairs(KEYS) do
  local failures = redis.call('HINCRBY', key, 'failures', 1)
  local beyond = failures - tonumber(ARGV[4 + k])
  if beyond >= 0 then
    redis.call('HSET', key, 'until', now + math.min(longest, first * 2 ^ math.min(beyond, 40)))
  end
  redis.call('PEXPIRE', key, memory)
end
return 0
