-- Takes units at every level, or at none.
--
-- A level is a hash: number of a slot of time -> units charged in that slot.  Slots that
-- may still lie in the provider's window count, and their sum never passes what is allowed.
-- The script knows only the clock of Redis, so that all workers see the same slots.
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
-- A slot gives out this much more while less than half of the window's units are in use:
-- who needs little may need it unevenly, and who never has enough still gets even shares.
local UNEVEN = 1.5
local wait, emptiest = 0, 0

local function refuse(level, microseconds)
  if microseconds > wait then
    wait, emptiest = microseconds, level
  end
end

-- Returns all slots as HGETALL does, the units of those that count, and those of the present one.
local function read(key, present)
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
local function gone_with(fields, excess, present)
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

local slots = {}
for level = 1, #KEYS / 2 do
  refuse(level, redis.call('PTTL', KEYS[2 * level]) * 1000) -- negative: no pause

  local length, allowed = tonumber(ARGV[3 * level]), tonumber(ARGV[3 * level + 1])
  if length > 0 then
    local present = math.floor(now / length)
    local fields, used, lately = read(KEYS[2 * level - 1], present)
    local most = ARGV[3 * level + 2] * (used * 2 < allowed and UNEVEN or 1)
    if lately + units > most then
      refuse(level, (present + 1) * length - now)
    end
    if used + units > allowed then
      local last = gone_with(fields, used + units - allowed, present)
      refuse(level, (last + counted) * length - now)
    end
    slots[level] = present
  end
end

if emptiest > 0 then
  return { wait, emptiest }
end
for level, present in pairs(slots) do
  local key = KEYS[2 * level - 1]
  redis.call('HINCRBY', key, present, units)
  redis.call('PEXPIRE', key, math.ceil(counted * ARGV[3 * level] / 1000))
end
return { 0, 0 }
