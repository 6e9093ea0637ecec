#!lua
-- Stands before every script: keys, the clock, and the steps that several transitions share.
-- KEYS[1] the workshop's hash tag, e.g. {spring}. Every other key is this plus a suffix, so all live in one slot.
-- ARGV[1] clock offset in ms: 0, except in tests and simulations.

local base = KEYS[1]
local LANES = { 'instructor', 'high', 'normal', 'low' }
-- In fifo the instructor's lane goes first; all others are one, by arrival.
local FIFO_GROUPS = { { 'instructor' }, { 'high', 'normal', 'low' } }
-- An idle worker refreshes its entry every 5 s; an entry older than this belongs to a link that is gone.
local IDLE_FOR = 15000

local function key(...) return base .. ':' .. table.concat({ ... }, ':') end

-- Lua prints 14 digits; times and tokens have more when they grow, so numbers leave as whole text.
local function whole(number) return string.format('%.0f', number) end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])

local function setting(name, otherwise)
  return redis.call('HGET', key('settings'), name) or otherwise
end

local function running_of(participant)
  local prefix, count = participant .. '/', 0
  for _, member in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    if member:sub(1, #prefix) == prefix then count = count + 1 end
  end
  return count
end

-- Names one idle worker that can run these needs; all of them when nobody is known to (a new class of needs).
local function wake(needs)
  local idle = redis.call('ZRANGE', key('idle'), 0, -1, 'WITHSCORES')
  local others = {}
  for i = 1, #idle, 2 do
    local worker = idle[i]
    if tonumber(idle[i + 1]) < now - IDLE_FOR then
      redis.call('ZREM', key('idle'), worker)
    elseif redis.call('SISMEMBER', key('runs', worker), needs) == 1 then
      redis.call('ZREM', key('idle'), worker)
      redis.call('PUBLISH', key('workers'), cjson.encode({ wake = worker, needs = needs }))
      return
    else
      others[#others + 1] = worker
    end
  end
  if redis.call('EXISTS', key('runners', needs)) == 0 then
    for _, worker in ipairs(others) do
      redis.call('PUBLISH', key('workers'), cjson.encode({ wake = worker, needs = needs }))
    end
  end
end

-- Puts the head of one line where claims look, or takes it away when the line is empty or its owner at the cap.
local function index_head(lane, participant)
  local field = lane .. '/' .. participant
  local before = redis.call('HGET', key('heads'), field)
  local head = redis.call('LINDEX', key('line', lane, participant), 0)
  if head then redis.call('SADD', key('lines'), field) else redis.call('SREM', key('lines'), field) end
  local cap = tonumber(setting('running_per_participant', '1'))
  if not head or running_of(participant) >= cap then
    if before then
      redis.call('ZREM', key('turns', lane, before), participant)
      redis.call('HDEL', key('heads'), field)
    end
    return
  end
  local job = redis.call('HMGET', key('job', head), 'needs', 'seq')
  if before and before ~= job[1] then redis.call('ZREM', key('turns', lane, before), participant) end
  redis.call('ZADD', key('turns', lane, job[1]), job[2], participant)
  redis.call('HSET', key('heads'), field, job[1])
  wake(job[1])
end

local function index_lines(participant)
  for _, lane in ipairs(LANES) do index_head(lane, participant) end
end

local function count(from, to)
  if from then redis.call('HINCRBY', key('counts'), from, -1) end
  redis.call('HINCRBY', key('counts'), to, 1)
end

-- One change, numbered in the owner's feed and in the room's. Content-free but for ids and words.
local function announce(id, participant, state, reason, worker, client)
  redis.call('PUBLISH', key('feed'), cjson.encode({
    epoch = redis.call('GET', key('epoch')) or '',
    n = whole(redis.call('INCR', key('seq', participant))),
    room = whole(redis.call('INCR', key('seq', '@room'))),
    job = id, participant = participant, state = state, reason = reason or '',
    worker = worker or '', client = client or '',
  }))
end

-- The only way into an end state. Files and body stay; the lease, the place in line and the worker's hold go.
local function settle(id, job, state, reason, result)
  local from = job.state
  if from == 'running' then
    redis.call('ZREM', key('leases'), job.participant .. '/' .. id)
    redis.call('HDEL', key('worker', job.worker), 'job')
  else
    redis.call('LREM', key('line', job.lane, job.participant), 1, id)
  end
  redis.call('HSET', key('job', id), 'state', state, 'reason', reason, 'ended_at', whole(now))
  redis.call('SET', key('result', id), result)
  redis.call('ZADD', key('ended'), now, id)
  count(from, state)
  index_lines(job.participant)
  announce(id, job.participant, state, reason, job.worker, job.client)
end

-- From running back to the head of its own line, with the place it had: a job taken back pays no second turn.
local function give_back(id, job, reason)
  redis.call('ZREM', key('leases'), job.participant .. '/' .. id)
  redis.call('HDEL', key('worker', job.worker), 'job')
  redis.call('HSET', key('job', id), 'state', 'pending', 'reason', reason)
  -- Before everything that arrived later: the head, unless another of the owner's jobs came back first.
  local line, placed = key('line', job.lane, job.participant), false
  for _, other in ipairs(redis.call('LRANGE', line, 0, 100)) do
    if tonumber(redis.call('HGET', key('job', other), 'seq')) > tonumber(job.seq) then
      redis.call('LINSERT', line, 'BEFORE', other, id)
      placed = true
      break
    end
  end
  if not placed then redis.call('RPUSH', line, id) end
  count('running', 'pending')
  index_lines(job.participant)
  announce(id, job.participant, 'pending', reason, job.worker, job.client)
end

local function read_job(id)
  local names = { 'state', 'participant', 'lane', 'token', 'worker', 'reason', 'client', 'crashes', 'needs', 'seq' }
  local values = redis.call('HMGET', key('job', id), unpack(names))
  if not values[1] then return nil end
  local job = {}
  for i, name in ipairs(names) do job[name] = values[i] or '' end
  return job
end

-- 'holder': this claim is live. 'late': taken back, and nobody has claimed since. 'ended': already over under this
-- very claim. 'lost': anything else. The token fences; the worker it was lent to must match as well.
local function standing(job, worker, token)
  if not job or job.token ~= token or job.worker ~= worker then return 'lost' end
  if job.state == 'running' then return 'holder' end
  if job.state == 'pending' then return 'late' end
  return 'ended'
end
