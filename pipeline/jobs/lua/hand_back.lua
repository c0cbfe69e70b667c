-- Lets jobs wait again, in front, that a worker has fetched and will not run.
-- ARGV: worker id, then message id and delivery of each.  Returns how many were its own.
local now, handed = now_ms(), 0
for a = #ARGV - 1, 2, -2 do -- the last one first: each goes in front of the one before
  local id = ARGV[a]
  local queue, lane, cancelled = take_back(ARGV[1], id, ARGV[a + 1])
  if queue then
    call('HINCRBY', P .. 'job:' .. id, 'attempts', -1)
    if cancelled then
      fail(queue, id, now, cancelled, false)
    else
      call('HSET', P .. 'job:' .. id, 'state', 'waiting')
      wait(queue, lane, id, now, true)
    end
    handed = handed + 1
  end
end
return handed
