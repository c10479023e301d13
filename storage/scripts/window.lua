-- One sliding window: a hash of buckets (number -> units taken), their `total`, `last`, the newest bucket charged,
-- `epoch`, when the hash was made, and `heal`, until when nothing is granted.
--
-- KEYS  the window
-- ARGV  limit, buckets per window, width of a bucket, need, want, now, the epoch the caller knows (0: none),
--       1 if the caller brings back all it ever took, what requests wait for (need..want), how many pairs are given back,
--       then pairs (bucket, units) to give back, then pairs (age in buckets, units) to charge whatever the limit
-- Reply units granted (0, or need..want; -1: not the window that the caller knows, and nothing was done),
--       the bucket they are charged to, time left of that bucket, room left, time until `need` fits,
--       time until the window is empty, epoch, 1 while it heals
--
-- A window that was lost (FLUSHALL, a failover) is built up again from what each worker remembers of its own. Until all
-- had the time for that it heals: nothing is granted, and workers live on their shares.
--
-- Every time is in microseconds. A permit used in bucket i is counted while the current bucket is at most
-- i + buckets: the oldest bucket counts whole, so nothing admitted less than a window ago is ever forgotten.

local key = KEYS[1]
local limit, buckets, width = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local need, want, now = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known, restored = tonumber(ARGV[7]), ARGV[8] == '1'
local waiting, returned = tonumber(ARGV[9]), tonumber(ARGV[10])
local HEALING = math.min(4000000, buckets * width / 2)

-- Instances' clocks differ, this server's is one; effects are replicated, so reading it here is allowed.
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- A stranger's value under our name would fail every call for ever.
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then
  redis.call('DEL', key)
end

local state = redis.call('HMGET', key, 'total', 'last', 'epoch', 'heal')
local total, last = tonumber(state[1]) or 0, tonumber(state[2]) or 0
local epoch, heal = tonumber(state[3]) or 0, tonumber(state[4]) or 0
local bucket = math.floor(now / width)

-- The clock went back (failover, step): stay in the newest bucket; after more than a window, start over.
if last > bucket and last - bucket <= buckets then
  bucket = last
end
local first = bucket - buckets

if last < first or last > bucket then
  epoch, heal = 0, 0
end
if known ~= 0 and known ~= epoch then
  return { -1, bucket, 0, 0, 0, 0, epoch, 0 }
end
if epoch == 0 then
  epoch = now
end
if restored and heal < epoch + HEALING then
  heal = epoch + HEALING
end

local function numbers(from, to)
  local list = {}
  for number = from, to do
    list[#list + 1] = number
  end
  return list
end

if last < first or last > bucket then
  redis.call('DEL', key)
  total, last = 0, bucket
elseif last - buckets < first then
  local old = numbers(last - buckets, first - 1)
  for _, units in ipairs(redis.call('HMGET', key, unpack(old))) do
    total = total - (tonumber(units) or 0)
  end
  redis.call('HDEL', key, unpack(old))
end

local function charge(number, units)
  redis.call('HINCRBY', key, number, units)
  total = total + units
end

for at = 11, 10 + 2 * returned, 2 do
  local number = tonumber(ARGV[at])
  if number >= first and number <= bucket then
    -- After a FLUSHALL the bucket may hold less than is brought back.
    local held = tonumber(redis.call('HGET', key, number)) or 0
    charge(number, -math.min(tonumber(ARGV[at + 1]), held))
  end
end

for at = 11 + 2 * returned, #ARGV, 2 do
  charge(math.max(first, bucket - tonumber(ARGV[at])), tonumber(ARGV[at + 1]))
  last = bucket
end

local granted = 0
local healing = now < heal and 1 or 0
if healing == 0 and total + need <= limit then
  -- What is for later is a quarter of the room at most: the last units are for whoever has a use for them now.
  local room = limit - total
  granted = math.max(0, math.min(room, math.max(waiting, math.min(want, math.floor(room / 4)))))
end
if granted > 0 then
  charge(bucket, granted)
  last = bucket
end

local retry = 0
if granted < need then
  retry = (buckets + 1) * width
  local excess = total + need - limit
  for index, units in ipairs(redis.call('HMGET', key, unpack(numbers(first, bucket)))) do
    excess = excess - (tonumber(units) or 0)
    if excess <= 0 then
      retry = (first + index + buckets) * width - now
      break
    end
  end
end

local reset = 0
if total > 0 then
  reset = (last + buckets + 1) * width - now
  redis.call('HSET', key, 'total', total, 'last', last, 'epoch', epoch, 'heal', heal)
  redis.call('PEXPIRE', key, math.ceil(math.max(reset, width) / 1000))
else
  redis.call('DEL', key)
end

return { granted, bucket, math.min(width, (bucket + 1) * width - now), limit - total, retry, reset, epoch, healing }
