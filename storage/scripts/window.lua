-- Sliding windows, each a hash of buckets (number -> units taken), their `total`, `last`, the newest bucket charged,
-- `heal`, until when nothing is granted, and each worker's account, `w:<worker>`: the units it was charged in all, less
-- what it gave back, and the bucket of its last call.
--
-- KEYS  the windows that a request passes, in order; once one refuses, nothing is needed of those behind it
-- ARGV  one text of numbers with blanks between them, since each argument has a price of its own on its way here:
--       for each window how many arguments it has, and these: limit, buckets per window, width of a bucket, need, want,
--       now, the worker (0: who only looks), its account as it knows it, 1 if it brings back what was lost, what
--       requests wait for (need..want), how many pairs are given back, then pairs (bucket, units) to give back, then
--       pairs (age in buckets, units) to charge whatever the limit
-- Reply for each window: units granted (0, or need..want; -1: the account is smaller than the worker knows it, and
--       nothing was done), the bucket they are charged to, time left of that bucket, room left, time until `need`
--       fits, time until the window is empty, the worker's account, 1 while it heals
--
-- What was lost (FLUSHALL, a restart or a failover to an older state) is brought back by each worker from what it
-- remembers of its own. Until all had the time for that the window heals: nothing is granted, and workers live on their
-- shares.
--
-- Every time is in microseconds. A permit used in bucket i is counted while the current bucket is at most
-- i + buckets: the oldest bucket counts whole, so nothing admitted less than a window ago is ever forgotten.

local MOST_FIELDS = 1000

-- Instances' clocks differ, this server's is one; effects are replicated, so reading it here is allowed.
local server_now
local function time_now()
  if not server_now then
    local time = redis.call('TIME')
    server_now = time[1] * 1000000 + time[2]
  end
  return server_now
end

local function numbers(from, to)
  local list = {}
  for number = from, to do
    list[#list + 1] = number
  end
  return list
end

local function window(key, args, refused)
  local limit, buckets, width = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  local need, want, now = tonumber(args[4]), tonumber(args[5]), tonumber(args[6])
  local worker, known, restored = args[7], tonumber(args[8]), args[9] == '1'
  local waiting, returned = tonumber(args[10]), tonumber(args[11])
  local healing_time = math.min(4000000, buckets * width / 2)
  if refused then
    need, want, waiting = 0, 0, 0
  end
  if now == 0 then
    now = time_now()
  end

  -- A stranger's value under our name would fail every call for ever.
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('DEL', key)
  end

  local state = redis.call('HMGET', key, 'total', 'last', 'heal', 'w:' .. worker)
  local total, last = tonumber(state[1]) or 0, tonumber(state[2]) or 0
  local heal, account = tonumber(state[3]) or 0, tonumber(string.match(state[4] or '', '^-?%d+')) or 0
  local bucket = math.floor(now / width)

  -- The clock went back (failover, step): stay in the newest bucket; after more than a window, start over.
  if last > bucket and last - bucket <= buckets then
    bucket = last
  end
  local first = bucket - buckets

  if last < first or last > bucket then
    heal, account = 0, 0
  end
  if account < known then
    return { -1, bucket, 0, 0, 0, 0, account, 0 }
  end
  if restored and heal < now then
    heal = now + healing_time
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
    total, account = total + units, account + units
  end

  for at = 12, 11 + 2 * returned, 2 do
    local number = tonumber(args[at])
    if number >= first and number <= bucket then
      -- After a FLUSHALL the bucket may hold less than is brought back.
      local held = tonumber(redis.call('HGET', key, number)) or 0
      charge(number, -math.min(tonumber(args[at + 1]), held))
    end
  end

  for at = 12 + 2 * returned, #args, 2 do
    charge(math.max(first, bucket - tonumber(args[at])), tonumber(args[at + 1]))
    last = bucket
  end

  -- An account whose worker was not heard of within a window is about nothing that still counts.
  local function forget_who_left()
    local fields = redis.call('HGETALL', key)
    for at = 1, #fields, 2 do
      local heard = string.match(fields[at + 1], ':(%d+)$')
      if string.sub(fields[at], 1, 2) == 'w:' and (tonumber(heard) or 0) < first then
        redis.call('HDEL', key, fields[at])
      end
    end
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

  local reset = total > 0 and (last + buckets + 1) * width - now or 0
  if total == 0 and worker == '0' then
    redis.call('DEL', key)
  else
    -- With nothing in it a window is kept for its accounts, as long as somebody may remember what was in it.
    redis.call('HSET', key, 'total', total, 'last', last, 'heal', heal)
    if worker ~= '0' then
      if not state[4] and redis.call('HLEN', key) > MOST_FIELDS then
        forget_who_left()
      end
      redis.call('HSET', key, 'w:' .. worker, string.format('%.0f:%.0f', account, bucket))
    end
    redis.call('PEXPIRE', key, math.ceil(math.max(reset, total > 0 and width or (buckets + 1) * width) / 1000))
  end

  return { granted, bucket, math.min(width, (bucket + 1) * width - now), limit - total, retry, reset, account, healing }
end

local given = {}
for number in string.gmatch(ARGV[1], '%S+') do
  given[#given + 1] = number
end
local replies, at, refused = {}, 1, false
for index, key in ipairs(KEYS) do
  local count = tonumber(given[at])
  local reply = window(key, { unpack(given, at + 1, at + count) }, refused)
  local need, healing = tonumber(given[at + 4]), reply[8] == 1
  refused = refused or (reply[1] >= 0 and reply[1] < need and not healing)
  replies[index], at = reply, at + count + 1
end
return replies
