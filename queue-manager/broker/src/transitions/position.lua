-- Where a waiting job stands: 1 for the one that starts next, if nothing changed from now on; and when it will probably
-- start. By counting the turns that everyone else gets before it: O(participants) for each job, whatever the length of
-- their lines. Of jobs that run or wait also how long such jobs usually take.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2..] job ids
-- Answers now in ms, then for each id: position, soonest and latest start in ms from now, how many other people get a
--   turn before, usual duration in ms; '' for what cannot be said

-- Group → participant → what is in line and where they stand, read once.
local people = {}
for rank, group in ipairs(groups()) do people[rank] = {} end
for _, field in ipairs(redis.call('SMEMBERS', key('lines'))) do
  local lane, participant = field:match('^(.-)/(.+)$')
  for rank, group in ipairs(groups()) do
    for _, each in ipairs(group.lanes) do
      if each == lane then
        local one = people[rank][participant] or { waiting = 0, lanes = {} }
        one.waiting = one.waiting + redis.call('LLEN', key('line', lane, participant))
        one.lanes[#one.lanes + 1] = lane
        people[rank][participant] = one
      end
    end
  end
end

-- Somebody at their running cap stands nowhere; they will come back at their last tag or the one served last.
local function stand_of(group, participant, one)
  if not one.tag then
    local entry = entry_of(group, participant)
    local needs = entry and entry.needs or head_of(group, participant).needs
    one.tag = entry and entry.tag or math.max(debt(group, participant), served(group, needs))
    one.joined = entry and entry.joined or math.huge
    one.cost = cost_of(needs)
    one.needs = needs
  end
  return one
end

-- How long jobs of a class took: mean and variance of the last ones; of all jobs where the class has fewer than three.
local known = {}
local function usual(needs)
  if known[needs] == nil then
    local times = redis.call('LRANGE', key('times', needs), 0, -1)
    local sum, squares = 0, 0
    for _, took in ipairs(times) do sum, squares = sum + took, squares + took * took end
    if #times >= 3 then
      local mean = sum / #times
      known[needs] = { mean = mean, variance = math.max(squares / #times - mean * mean, 0) }
    else
      known[needs] = needs ~= '@' and usual('@') or false
    end
  end
  return known[needs]
end

-- What runs now, by its owner, and how many workers there are.
local running, workers = {}, 0
for _, member_of in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local owner, id = member_of:match('^(.-)/(.+)$')
  local about = redis.call('HMGET', key('job', id), 'needs', 'started_at')
  running[#running + 1] = { owner = owner, needs = about[1], since = now - tonumber(about[2] or now) }
end
for _ in pairs(workers_here()) do workers = workers + 1 end

-- When a job of `me` starts if every job takes its mean and `shift` deviations more: workers take what is ahead turn by
-- turn, and nobody runs two at a time.
local STEPS = 300
local function start_of(me, ahead, jobs, shift)
  local function length(needs)
    local time = usual(needs)
    return math.max(time.mean + shift * math.sqrt(time.variance), 0.1 * time.mean)
  end
  local free, owner_free = {}, {}
  for _, job in ipairs(running) do
    -- One that runs longer than usual may end at any moment.
    local left = math.max(length(job.needs) - job.since, 0.1 * length(job.needs))
    free[#free + 1] = left
    owner_free[job.owner] = math.max(owner_free[job.owner] or 0, left)
  end
  while #free < workers do free[#free + 1] = 0 end
  local function soonest()
    local at = 1
    for i = 2, #free do if free[i] < free[at] then at = i end end
    return at
  end
  local lines, left = {}, jobs
  for _, line in ipairs(ahead) do lines[#lines + 1] = { owner = line.owner, needs = line.needs, jobs = line.jobs } end
  local steps = 0
  while left > 0 and steps < STEPS do
    steps = steps + 1
    local worker, best, at = soonest(), nil, nil
    for i, line in ipairs(lines) do
      local when = math.max(free[worker], owner_free[line.owner] or 0)
      if line.jobs > 0 and (not at or when < at) then best, at = i, when end
    end
    local line = table.remove(lines, best)
    local ends = at + length(line.needs)
    free[worker], owner_free[line.owner] = ends, ends
    line.jobs, left = line.jobs - 1, left - 1
    lines[#lines + 1] = line
  end
  local start = math.max(free[soonest()], owner_free[me] or 0)
  -- What is beyond the steps goes on at the same pace.
  return left > 0 and start * jobs / steps or start
end

local function range(me, ahead, jobs)
  if workers == 0 or #running > workers then return '', '' end
  for _, job in ipairs(running) do if not usual(job.needs) then return '', '' end end
  for _, line in ipairs(ahead) do if not usual(line.needs) then return '', '' end end
  -- The more jobs, the more their deviations even out.
  local shift = 1.7 / math.sqrt(math.max((jobs + #running) / workers, 1))
  -- By arrival nobody comes in between; where turns count people who come later do, and by GPU time those with short
  -- jobs do more than once.
  local more = ({ fifo = 1.15, fair = 2.5 })[mode()] or 1.9
  return whole(start_of(me, ahead, jobs, -shift) * 0.85), whole(start_of(me, ahead, jobs, shift) * more + 2000)
end

local function places_before(one, participant, seq)
  local sum = 0
  for _, lane in ipairs(one.lanes) do sum = sum + before(lane, participant, seq) end
  return sum
end

-- Turns of `other` before my job, which starts at tag `at` after `own` earlier ones of mine.
local function turns_before(other, me, own)
  local gap = me.tag + own * me.cost - other.tag
  local turns = math.ceil(gap / other.cost)
  -- At the same tag whoever joined it first goes first: who stood there, before who had a turn to get there.
  local level = turns >= 0 and turns * other.cost == gap
  if level and (other.tag > me.tag or (other.tag == me.tag and other.joined < me.joined)) then turns = turns + 1 end
  return math.max(0, math.min(turns, other.waiting))
end

local answer = { whole(now) }
for i = 2, #ARGV do
  local job, position, soonest, latest, people_ahead = read_job(ARGV[i]), '', '', '', ''
  local in_line = job and job.state == 'pending' and job.reason ~= 'on_hold' and job.reason ~= 'held'
    and job.reason ~= 'backing_off' and job.reason ~= 'cancelling'
  if in_line then
    local seq, ahead, others, lines = tonumber(job.seq), 0, 0, {}
    for rank, group in ipairs(groups()) do
      local mine = group == group_of(job.lane)
      local own = mine and places_before(people[rank][job.participant], job.participant, seq) or 0
      local me = mine and stand_of(group, job.participant, people[rank][job.participant])
      for participant, other in pairs(people[rank]) do
        local jobs
        stand_of(group, participant, other)
        if not mine then
          jobs = other.waiting
        elseif participant == job.participant then
          jobs = own
        elseif mode() == 'fifo' then
          jobs = places_before(other, participant, seq)
        else
          jobs = turns_before(other, me, own)
        end
        ahead = ahead + jobs
        if jobs > 0 and participant ~= job.participant then others = others + 1 end
        if jobs > 0 then lines[#lines + 1] = { owner = participant, needs = other.needs, jobs = jobs } end
      end
      if mine then break end
    end
    position, people_ahead = whole(ahead + 1), whole(others)
    -- A list of a hundred jobs is asked for more often than anyone looks at its end.
    if i < 32 then soonest, latest = range(job.participant, lines, ahead) end
  end
  answer[#answer + 1] = position
  answer[#answer + 1] = soonest
  answer[#answer + 1] = latest
  answer[#answer + 1] = people_ahead
  local goes_on = job and (job.state == 'pending' or job.state == 'running')
  local time = goes_on and usual(job.needs)
  answer[#answer + 1] = time and whole(time.mean) or ''
end
return answer
