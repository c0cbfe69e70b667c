-- Lets a delayed job start now.  ARGV: message id.  Returns 1, or 0 if it is not delayed.
local id = ARGV[1]
local known = call('HMGET', P .. 'job:' .. id, 'state', 'queue', 'lane')
if known[1] ~= 'delayed' or call('ZREM', of(known[2], 'delayed'), id) == 0 then
  return 0
end
call('HSET', P .. 'job:' .. id, 'state', 'waiting')
wait(known[2], known[3], id, now_ms(), true)
return 1
