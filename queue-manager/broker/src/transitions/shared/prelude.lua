#!lua
-- Stands before every script: keys, the clock, settings, and how a job is read and announced.
-- KEYS[1] the workshop's hash tag, e.g. {spring}. Every other key is this plus a suffix, so all live in one slot.
-- ARGV[1] clock offset in ms: 0, except in tests and simulations.

local base = KEYS[1]
local LANES = { 'instructor', 'high', 'normal', 'low' }

local function key(...) return base .. ':' .. table.concat({ ... }, ':') end

-- Lua prints 14 digits; times and tokens have more when they grow, so numbers leave as whole text.
local function whole(number) return string.format('%.0f', number) end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])

-- The workshop's settings, read once by the scripts that need one.
local settings
local function setting(name, otherwise)
  if not settings then
    settings = {}
    local all = redis.call('HGETALL', key('settings'))
    for i = 1, #all, 2 do settings[all[i]] = all[i + 1] end
  end
  return settings[name] or otherwise
end

-- A cap of one participant: their own, or everybody's.
local function cap(participant, name, otherwise)
  return tonumber(redis.call('HGET', key('caps', participant), name) or setting(name, otherwise))
end

local function running_of(participant)
  local prefix, count = participant .. '/', 0
  for _, member in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    if member:sub(1, #prefix) == prefix then count = count + 1 end
  end
  return count
end

-- One job fewer in a state and one more in another; a participant's waiting jobs and their bytes are counted as well.
local function count(from, to, job)
  if from then redis.call('HINCRBY', key('counts'), from, -1) end
  if to then redis.call('HINCRBY', key('counts'), to, 1) end
  local step = (to == 'pending' and 1 or 0) - (from == 'pending' and 1 or 0)
  if step == 0 then return end
  local own, bytes = key('waiting', job.participant), whole(step * tonumber(job.body_bytes))
  redis.call('HINCRBY', key('counts'), 'bytes', bytes)
  redis.call('HINCRBY', own, 'bytes', bytes)
  if redis.call('HINCRBY', own, 'jobs', step) == 0 then redis.call('DEL', own) end
end

-- Which life of the store this is: the process itself, because nothing that is stored can tell. A log may have lost its
-- end, and the numbers in it are then given out again.
local life
local function epoch()
  life = life or redis.call('INFO', 'server'):match('run_id:(%x+)')
  return life
end

-- One change, numbered in the owner's feed and in the room's. Content-free but for ids and words.
-- It is a line of the job's story as well: where the last one says the same, only the job's place changed.
local function announce(id, job, state, reason)
  local last = redis.call('LINDEX', key('story', id), -1) or ''
  local as_before = last:match('^%d+ (%S+ %S*) ') == state .. ' ' .. (reason or '')
  redis.call('RPUSH', key('story', id), table.concat({ whole(now), state, reason or '', job.worker }, ' '))
  redis.call('LTRIM', key('story', id), -100, -1)
  redis.call('PUBLISH', key('feed'), cjson.encode({
    epoch = epoch(),
    n = whole(redis.call('INCR', key('seq', job.participant))),
    room = whole(redis.call('INCR', key('seq', '@room'))),
    job = id, participant = job.participant, state = state, reason = reason or '',
    worker = job.worker, client = job.client, as_before = as_before,
  }))
end

-- Something about the whole queue changed: its mode, a pause, a cap, a worker.
local function announce_room(what)
  redis.call('PUBLISH', key('feed'), cjson.encode({
    epoch = epoch(), room = whole(redis.call('INCR', key('seq', '@room'))), queue = what,
  }))
end

local JOB_FIELDS = { 'state', 'participant', 'lane', 'token', 'worker', 'reason', 'client', 'crashes', 'needs', 'seq',
  'body_bytes', 'turn', 'started_at', 'cancel_at', 'laned_at', 'taken' }

local function read_job(id)
  local values = redis.call('HMGET', key('job', id), unpack(JOB_FIELDS))
  if not values[1] then return nil end
  local job = {}
  for i, name in ipairs(JOB_FIELDS) do job[name] = values[i] or '' end
  return job
end

-- A worker is gone, and a job with it. One that had said that it has the job was taken down by it, for all we can tell; where
-- it never said so, the link broke on the way, and it takes ten such losses to blame the job. Answers whether it is parked.
local function blame(id, job, limit)
  if job.taken == job.token then return redis.call('HINCRBY', key('job', id), 'crashes', 1) >= limit end
  return redis.call('HINCRBY', key('job', id), 'strays', 1) >= 10
end

-- 'holder': this claim is live. 'late': taken back, and nobody has claimed since. 'ended': already over under this
-- very claim. 'lost': anything else. The token fences; the worker it was lent to must match as well.
local function standing(job, worker, token)
  if not job or job.token ~= token or job.worker ~= worker then return 'lost' end
  if job.state == 'running' then return 'holder' end
  if job.state == 'pending' then return 'late' end
  return 'ended'
end
