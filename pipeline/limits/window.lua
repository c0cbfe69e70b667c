-- A sliding window of what was taken, shared by the quota ledger, start limits and budgets.
--
-- A level is a hash: number of a slot of time -> units taken in that slot.  Slots that may
-- still lie in the window count, and their sum never passes what is allowed.  Only the
-- clock of Redis is used, so that all workers see the same slots.
local window = {}

-- A slot gives out this much more while less than half of the window's units are in use:
-- who needs little may need it unevenly, and who never has enough still gets even shares.
local UNEVEN = 1.5

-- Returns all slots as HGETALL does, the units of those that count, and those of the present one.
local function read(key, present, counted)
  local fields, used, lately = redis.call('HGETALL', key), 0, 0
  for f = 1, #fields, 2 do
    local ahead = fields[f] - present
    if ahead == 0 then
      lately = tonumber(fields[f + 1])
    end
    -- Slots ahead were written by a server, since replaced, whose clock was ahead; so far
    -- ahead that it must have been wrong, they would only block the level for as long.
    if ahead > -counted and ahead < counted then
      used = used + fields[f + 1]
    else
      redis.call('HDEL', key, fields[f])
    end
  end
  return fields, used, lately
end

-- Returns the number of the slot with which, oldest first, `excess` units have gone.
local function gone_with(fields, excess, present, counted)
  local by_slot = {}
  for f = 1, #fields, 2 do
    by_slot[tonumber(fields[f])] = fields[f + 1]
  end
  local slot = present - counted
  while excess > 0 and slot < present + counted do
    slot = slot + 1
    excess = excess - (by_slot[slot] or 0)
  end
  return slot
end

-- Returns the microseconds until `units` may be taken, 0 for now, the present slot, and the
-- units in use.
-- `length`: microseconds of a slot; `counted`: how many slots count, the present one
-- included; `allowed`: units in all of them; `at_once`: units that a slot gives out at least.
function window.wait(key, now, units, length, counted, allowed, at_once)
  local present = math.floor(now / length)
  local fields, used, lately = read(key, present, counted)
  local wait = 0
  local most = at_once * (used * 2 < allowed and UNEVEN or 1)
  if lately + units > most then
    wait = (present + 1) * length - now
  end
  if used + units > allowed then
    local last = gone_with(fields, used + units - allowed, present, counted)
    wait = math.max(wait, (last + counted) * length - now)
  end
  return wait, present, used
end

-- Takes `units` in the slot `present`.
function window.take(key, present, units, length, counted)
  redis.call('HINCRBY', key, present, units)
  redis.call('PEXPIRE', key, math.ceil(counted * length / 1000))
end
