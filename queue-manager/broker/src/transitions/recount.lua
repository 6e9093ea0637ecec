-- Counts everything from scratch and names what does not add up: each job in exactly one place, a lease for what runs
-- and for nothing else, counters equal to what they count. Changes nothing. Reads every job: not for a request path.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms
-- Answers a sentence for each complaint

local complaints = {}
local function complain(...) complaints[#complaints + 1] = table.concat({ ... }, ' ') end

-- Place by place: which jobs are there.
local placed = {}
local function found(id, place)
  if placed[id] then complain(id, 'is in', placed[id], 'and in', place) end
  placed[id] = place
end
for _, field in ipairs(redis.call('SMEMBERS', key('lines'))) do
  local lane, participant = field:match('^(.-)/(.+)$')
  local last = -1
  for _, id in ipairs(redis.call('LRANGE', key('line', lane, participant), 0, -1)) do
    found(id, 'line ' .. field)
    local seq = tonumber(redis.call('HGET', key('job', id), 'seq') or '-1')
    if seq <= last then complain(id, 'is out of order in line', field) end
    last = seq
  end
end
local held = redis.call('SMEMBERS', key('held'))
held[#held + 1] = '@'
for _, needs in ipairs(held) do
  for _, id in ipairs(redis.call('ZRANGE', key('held', needs), 0, -1)) do found(id, 'held ' .. needs) end
end
local later = {}
for _, id in ipairs(redis.call('ZRANGE', key('later'), 0, -1)) do
  later[id] = true
  if redis.call('HGET', key('job', id), 'state') == 'pending' then found(id, 'later') end
end
local holders = {}
for _, one in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local id = one:match('/(.+)$')
  found(id, 'leases')
  local worker = redis.call('HGET', key('job', id), 'worker') or ''
  if holders[worker] then complain(worker, 'holds', id, 'and', holders[worker]) end
  holders[worker] = id
end
for _, id in ipairs(redis.call('ZRANGE', key('ended'), 0, -1)) do found(id, 'ended') end

-- Job by job: whether it is where its state says, and what the counters should be.
local PLACE = { on_hold = 'held ', held = 'held @', backing_off = 'later', cancelling = 'later' }
local counts, waiting = {}, {}
local function add(to, name, by) to[name] = (to[name] or 0) + by end
for _, id in ipairs(redis.call('ZRANGE', key('all'), 0, -1)) do
  local job = read_job(id)
  local place = placed[id] or 'no place'
  placed[id] = nil
  if not job then
    complain(id, 'has no record')
  else
    add(counts, job.state, 1)
    local should = 'ended'
    if job.state == 'running' then should = 'leases' end
    if job.state == 'pending' then
      should = PLACE[job.reason] or ('line ' .. job.lane .. '/' .. job.participant)
      if job.reason == 'on_hold' then should = should .. job.needs end
      add(counts, 'bytes', tonumber(job.body_bytes))
      add(waiting, job.participant .. ' jobs', 1)
      add(waiting, job.participant .. ' bytes', tonumber(job.body_bytes))
    end
    if place ~= should then complain(id, 'is', job.state, job.reason, 'but in', place, 'and not in', should) end
    local ended = should == 'ended'
    if not ended and later[id] and job.cancel_at == '' and job.reason ~= 'backing_off' then
      complain(id, 'is due for nothing')
    end
    if ended and later[id] then complain(id, 'ended, and is due later') end
  end
end
for id, place in pairs(placed) do complain(id, 'is in', place, 'and in no list of all jobs') end

local stored = redis.call('HGETALL', key('counts'))
for i = 1, #stored, 2 do
  local name, value = stored[i], tonumber(stored[i + 1])
  if name:sub(1, 7) == 'purged_' then value, name = -value, name:sub(8) end
  add(counts, name, -value)
end
for name, difference in pairs(counts) do
  if difference ~= 0 then complain('the count of', name, 'is off by', whole(-difference)) end
end
for field, number in pairs(waiting) do
  local participant, name = field:match('^(%S+) (%S+)$')
  local has = redis.call('HGET', key('waiting', participant), name) or '0'
  if tonumber(has) ~= number then complain(field, 'should be', whole(number), 'and is', has) end
end

-- Claims look at heads only: everyone with a head below their cap stands exactly once.
for _, group in ipairs(groups()) do
  local standing_in = {}
  for _, needs in ipairs(redis.call('SMEMBERS', key('classes', group.name))) do
    for _, name in ipairs(redis.call('ZRANGE', key('turns', group.name, needs), 0, -1)) do
      local participant = name:sub(17)
      if standing_in[participant] then complain(participant, 'stands twice in', group.name) end
      standing_in[participant] = needs
    end
  end
  for _, participant in ipairs(everyone_waiting()) do
    local head = head_of(group, participant)
    local at_cap = running_of(participant) >= cap(participant, 'running_per_participant', '1')
      or (group.name ~= 'instructor' and had_theirs(participant))
    local should = head and not at_cap and head.needs or nil
    if standing_in[participant] ~= should then
      complain(participant, 'stands in', group.name, 'as', tostring(standing_in[participant]), 'and not as', tostring(should))
    end
    standing_in[participant] = nil
  end
  for participant in pairs(standing_in) do complain(participant, 'stands in', group.name, 'with nothing in line') end
end
return complaints
