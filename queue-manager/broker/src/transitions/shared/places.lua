-- Where a pending job is: in its owner's line, or in one other place that its reason names.
--   on_hold      held:<needs>  no worker that is here can run it
--   held         held:@        somebody put it aside
--   backing_off  later         until its next attempt
--   cancelling   later         until it is cancelled, unless somebody changes their mind

-- Jobs of a line that stand before this place. Lines are sorted by place, so by halving.
local function before(lane, participant, seq)
  local line = key('line', lane, participant)
  local low, high = 0, redis.call('LLEN', line)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local theirs = tonumber(redis.call('HGET', key('job', redis.call('LINDEX', line, middle)), 'seq'))
    if theirs < seq then low = middle + 1 else high = middle end
  end
  return low
end

-- Into its line, at its own place.
local function stand(id, job)
  local line = key('line', job.lane, job.participant)
  local at = before(job.lane, job.participant, tonumber(job.seq))
  if at == redis.call('LLEN', line) then
    redis.call('RPUSH', line, id)
  else
    redis.call('LINSERT', line, 'BEFORE', redis.call('LINDEX', line, at), id)
  end
  redis.call('SADD', key('lines'), job.lane .. '/' .. job.participant)
end

local function put_aside(id, job, reason, due)
  job.reason = reason
  redis.call('HSET', key('job', id), 'reason', reason)
  if reason == 'on_hold' then
    redis.call('ZADD', key('held', job.needs), job.seq, id)
    redis.call('SADD', key('held'), job.needs)
  elseif reason == 'held' then
    redis.call('ZADD', key('held', '@'), job.seq, id)
  else
    redis.call('ZADD', key('later'), whole(due), id)
  end
end

-- Out of wherever it waits.
local function lift(id, job)
  if job.reason == 'on_hold' then
    redis.call('ZREM', key('held', job.needs), id)
    if redis.call('EXISTS', key('held', job.needs)) == 0 then redis.call('SREM', key('held'), job.needs) end
  elseif job.reason == 'held' then
    redis.call('ZREM', key('held', '@'), id)
  elseif job.reason == 'backing_off' or job.reason == 'cancelling' then
    redis.call('ZREM', key('later'), id)
  else
    local line = key('line', job.lane, job.participant)
    redis.call('LREM', line, 1, id)
    if redis.call('EXISTS', line) == 0 then redis.call('SREM', key('lines'), job.lane .. '/' .. job.participant) end
  end
end

-- While the instructor wants one job each: whoever had theirs stands back, but in the instructor's lane.
local function had_theirs(participant)
  return setting('one_each', '0') == '1' and redis.call('HEXISTS', key('had'), participant) == 1
end

-- Heads that nobody here can run go on hold, so that they block nobody; then claims look at what is left.
local function arrange(participant, back)
  local at_cap, had = running_of(participant) >= cap(participant, 'running_per_participant', '1'), had_theirs(participant)
  for _, group in ipairs(groups()) do
    local head = head_of(group, participant)
    while head and not runnable(head.needs) do
      local job = read_job(head.id)
      lift(head.id, job)
      put_aside(head.id, job, 'on_hold')
      announce(head.id, job, 'pending', 'on_hold')
      head = head_of(group, participant)
    end
    index(group, participant, at_cap or (had and group.name ~= 'instructor'), back and back.group == group.name and back or nil)
  end
end

-- Everyone with a waiting job, each once, by the arrival of their oldest one.
local function everyone_waiting()
  local oldest, names = {}, {}
  for _, field in ipairs(redis.call('SMEMBERS', key('lines'))) do
    local lane, participant = field:match('^(.-)/(.+)$')
    local id = redis.call('LINDEX', key('line', lane, participant), 0)
    local seq = tonumber(redis.call('HGET', key('job', id), 'seq'))
    if not oldest[participant] then names[#names + 1] = participant end
    oldest[participant] = math.min(oldest[participant] or seq, seq)
  end
  table.sort(names, function(a, b) return oldest[a] < oldest[b] end)
  return names
end

-- Everybody starts even: scores are made anew, and no job is touched.
local function rebuild()
  for _, group in ipairs({ FOUR[1], FOUR[2], FOUR[3], FOUR[4], TWO[2] }) do
    for _, needs in ipairs(redis.call('SMEMBERS', key('classes', group.name))) do
      redis.call('DEL', key('turns', group.name, needs))
    end
    redis.call('DEL', key('classes', group.name))
  end
  redis.call('DEL', key('heads'), key('served'))
  settings.generation = whole(redis.call('HINCRBY', key('settings'), 'generation', 1))
  for _, participant in ipairs(everyone_waiting()) do arrange(participant) end
end

-- A pending job back into the order; at once on hold where nobody here can run it.
local function queue_up(id, job, reason, back)
  if runnable(job.needs) then
    job.reason = reason
    redis.call('HSET', key('job', id), 'reason', reason)
    stand(id, job)
    announce(id, job, 'pending', reason)
  else
    put_aside(id, job, 'on_hold')
    announce(id, job, 'pending', 'on_hold')
  end
  arrange(job.participant, back)
end

-- What is here changed: classes that nobody can run any more go on hold, and what somebody can run comes back.
local function review(classes)
  for _, needs in ipairs(classes) do
    if runnable(needs) then
      for _, id in ipairs(redis.call('ZRANGE', key('held', needs), 0, -1)) do
        local job = read_job(id)
        lift(id, job)
        queue_up(id, job, '')
      end
    end
  end
  for _, participant in ipairs(everyone_waiting()) do arrange(participant) end
end

local function all_classes()
  local seen, all = {}, {}
  local function add(from)
    for _, needs in ipairs(redis.call('SMEMBERS', from)) do
      if not seen[needs] then seen[needs] = true; all[#all + 1] = needs end
    end
  end
  for _, group in ipairs(groups()) do add(key('classes', group.name)) end
  add(key('held'))
  table.sort(all)
  return all
end

-- The place and the price of the claim a running job is under; nil when the mode has changed since.
local function turn_of(job)
  local gen, group, tag, joined, cost = job.turn:match('^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  if gen ~= generation() then return nil end
  return { group = group, tag = tonumber(tag), joined = tonumber(joined), cost = tonumber(cost) }
end

-- Adds to what a participant has used; what they wait with moves by as much.
local function charge(turn, participant, amount)
  local group = { name = turn.group }
  set_debt(group, participant, debt(group, participant) + amount)
  local entry = mode() == 'fair' and entry_of(group, participant)
  if entry then
    strike(group, participant, entry)
    entry.tag = math.max(entry.tag + amount, 0)
    enter(group, participant, entry)
  end
end

-- This worker lost the job: another one should have it first.
local function avoid(id, worker)
  redis.call('HSET', key('avoid'), id, worker .. ' ' .. whole(now + 60000))
end

local function end_lease(id, job)
  redis.call('ZREM', key('leases'), job.participant .. '/' .. id)
  redis.call('HDEL', key('worker', job.worker), 'job')
end

-- What the record of an ended job takes: its workflow, its result, and about a kilobyte of the rest. None of it changes.
local function record_bytes(id)
  return 1024 + redis.call('STRLEN', key('body', id)) + redis.call('STRLEN', key('result', id))
end

-- The only way into an end state. Files and body stay; the lease, the place in line, the worker's hold and keys go.
local function settle(id, job, state, reason, result)
  local from = job.state
  if from == 'running' then
    end_lease(id, job)
    -- A clock that was set back must not pay anybody.
    local turn, took = turn_of(job), math.max(now - tonumber(job.started_at), 0)
    if turn and mode() == 'fair' then charge(turn, job.participant, took - turn.cost) end
    redis.call('HINCRBY', key('tally', job.participant), 'gpu_ms', whole(took))
    redis.call('HINCRBY', key('worked'), job.worker, whole(took))
    redis.call('HINCRBY', key('worked'), job.worker .. '/jobs', 1)
    if state == 'completed' then
      local usual = tonumber(redis.call('HGET', key('costs'), job.needs) or took)
      redis.call('HSET', key('costs'), job.needs, whole(usual * 0.8 + took * 0.2))
      for _, times in ipairs({ key('times', job.needs), key('times', '@') }) do
        redis.call('LPUSH', times, whole(took))
        redis.call('LTRIM', times, 0, 29)
      end
    end
    if job.cancel_at ~= '' then redis.call('ZREM', key('later'), id) end
  else
    lift(id, job)
  end
  redis.call('HDEL', key('avoid'), id)
  redis.call('HSET', key('job', id), 'state', state, 'reason', reason, 'ended_at', whole(now))
  redis.call('SET', key('result', id), result)
  redis.call('DEL', key('sealed', id))
  redis.call('ZADD', key('ended'), now, id)
  redis.call('ZADD', key('ended', job.participant), now, id)
  redis.call('ZINCRBY', key('records'), whole(record_bytes(id)), job.participant)
  count(from, state, job)
  redis.call('HINCRBY', key('tally', job.participant), state, 1)
  redis.call('HINCRBY', key('minute'), state, 1)
  if state == 'failed' then
    redis.call('ZADD', key('failures'), now, id)
    redis.call('ZREMRANGEBYRANK', key('failures'), 0, -501)
  end
  arrange(job.participant)
  announce(id, job, state, reason)
end

-- The worker of a running job is asked to stop it. Said again each time: the first message may have been lost.
local function stop(id, job)
  if job.reason ~= 'stopping' then
    redis.call('HSET', key('job', id), 'reason', 'stopping')
    announce(id, job, 'running', 'stopping')
  end
  redis.call('PUBLISH', key('workers'), cjson.encode({ cancel = job.worker, job = id, token = job.token }))
end

-- From running back to its own place, and its owner to theirs: a job taken back pays no second turn. `due` delays it.
local function give_back(id, job, reason, due)
  end_lease(id, job)
  local turn = turn_of(job)
  if turn then charge(turn, job.participant, -turn.cost) end
  if redis.call('HGET', key('had'), job.participant) == id then redis.call('HDEL', key('had'), job.participant) end
  redis.call('HSET', key('job', id), 'state', 'pending')
  count('running', 'pending', job)
  job.state = 'pending'
  if job.cancel_at ~= '' then
    put_aside(id, job, 'cancelling', tonumber(job.cancel_at))
  elseif due then
    put_aside(id, job, 'backing_off', due)
  else
    return queue_up(id, job, reason, turn)
  end
  announce(id, job, 'pending', job.reason)
  arrange(job.participant)
end
