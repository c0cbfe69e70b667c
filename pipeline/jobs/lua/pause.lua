-- Pauses a scope.  ARGV: scope, JSON of the pause, its end in ms or '' for none, 1 if a
-- longer one stays as it is.  Returns 0 if it does, 2 if a longer one was replaced, else 1.
local there, longer = call('HGET', P .. 'paused', ARGV[1]), false
if there then
  local till = cjson.decode(there)['until']
  longer = type(till) ~= 'number' or ARGV[3] ~= '' and till >= tonumber(ARGV[3])
end
if longer and ARGV[4] == '1' then
  return 0
end
call('HSET', P .. 'paused', ARGV[1], ARGV[2])
return longer and 2 or 1
