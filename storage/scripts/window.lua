-- One sliding window: a hash of buckets (number -> units taken), their `total`, and `last`, the newest bucket charged.
--
-- KEYS  the window
-- ARGV  limit, buckets per window, width of a bucket, need, want, now, how many pairs are given back,
--       then pairs (bucket, units) to give back, then pairs (age in buckets, units) to charge whatever the limit
-- Reply units granted (0, or need..want), the bucket they are charged to, time left of that bucket,
--       room left, time until `need` fits, time until the window is empty
--
-- Every time is in microseconds. A permit used in bucket i is counted while the current bucket is at most
-- i + buckets: the oldest bucket counts whole, so nothing admitted less than a window ago is ever forgotten.

local key = KEYS[1]
local limit, buckets, width = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local need, want, now = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local returned = tonumber(ARGV[7])

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

local state = redis.call('HMGET', key, 'total', 'last')
local total, last = tonumber(state[1]) or 0, tonumber(state[2]) or 0
local bucket = math.floor(now / width)

-- The clock went back (failover, step): stay in the newest bucket; after more than a window, start over.
if last > bucket and last - bucket <= buckets then
  bucket = last
end
local first = bucket - buckets

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

for at = 8, 7 + 2 * returned, 2 do
  local number = tonumber(ARGV[at])
  if number >= first and number <= bucket then
    -- After a FLUSHALL the bucket may hold less than is brought back.
    local held = tonumber(redis.call('HGET', key, number)) or 0
    charge(number, -math.min(tonumber(ARGV[at + 1]), held))
  end
end

for at = 8 + 2 * returned, #ARGV, 2 do
  charge(math.max(first, bucket - tonumber(ARGV[at])), tonumber(ARGV[at + 1]))
  last = bucket
end

local granted = 0
if total + need <= limit then
  granted = math.max(0, math.min(want, limit - total))
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
  redis.call('HSET', key, 'total', total, 'last', last)
  redis.call('PEXPIRE', key, math.ceil(math.max(reset, width) / 1000))
else
  redis.call('DEL', key)
end

return { granted, bucket, math.min(width, (bucket + 1) * width - now), limit - total, retry, reset }
