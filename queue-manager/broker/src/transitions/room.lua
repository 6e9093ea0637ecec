-- Everything from which places and starts are foretold, read once for everybody: who stands where, whose jobs wait in
-- which order, what runs, and how long such jobs take. Changes nothing. O(waiting jobs), of each line the first 500.
-- With workers turns
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms
-- Answers now mode workers, then records, each a line of words:
--   usual NEEDS MEAN_MS VARIANCE                   where three such jobs or more have ended
--   running JOB PARTICIPANT NEEDS SINCE_MS
--   person RANK PARTICIPANT TAG JOINED COST NEEDS  where they stand in a group of lanes; NEEDS of their head
--   line WAITING JOB SEQ NEEDS JOB SEQ NEEDS …      of the person before, one for each lane
--   newcomer RANK TAG                              where somebody without a job would come in
--   oldest JOB                                     the one in line that was stored first

local answer = { whole(now), mode(), '0' }
local function say(...) answer[#answer + 1] = table.concat({ ... }, ' ') end

-- Of the last ones; of all jobs where the class has fewer than three.
local known = {}
local function learn(needs)
  if known[needs] then return end
  known[needs] = true
  local times = redis.call('LRANGE', key('times', needs), 0, -1)
  if #times < 3 and needs ~= '@' then times = redis.call('LRANGE', key('times', '@'), 0, -1) end
  if #times < 3 then return end
  local sum, squares = 0, 0
  for _, took in ipairs(times) do sum, squares = sum + took, squares + took * took end
  local mean = sum / #times
  say('usual', needs, whole(mean), whole(math.max(squares / #times - mean * mean, 0)))
end

for _, member_of in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
  local owner, id = member_of:match('^(.-)/(.+)$')
  local about = redis.call('HMGET', key('job', id), 'needs', 'started_at')
  if about[1] then
    learn(about[1])
    say('running', id, owner, about[1], whole(now - tonumber(about[2] or now)))
  end
end
local workers = 0
for _ in pairs(workers_here()) do workers = workers + 1 end
answer[3] = whole(workers)

-- Somebody at their running cap stands nowhere; they will come back at their last tag or the one served last.
local function stand_of(group, participant)
  local entry = entry_of(group, participant)
  if entry then return entry end
  local needs = head_of(group, participant).needs
  return { needs = needs, tag = math.max(debt(group, participant), served(group, needs)), joined = 2 ^ 53 }
end

for rank, group in ipairs(groups()) do
  if group == group_of('normal') then say('newcomer', rank, whole(served(group, '@'))) end
end

local oldest, stored = nil, math.huge
local lanes = {}
for _, field in ipairs(redis.call('SMEMBERS', key('lines'))) do
  local lane, participant = field:match('^(.-)/(.+)$')
  lanes[participant] = lanes[participant] or {}
  lanes[participant][lane] = true
end
for participant, has in pairs(lanes) do
  for rank, group in ipairs(groups()) do
    local named = false
    for _, lane in ipairs(group.lanes) do
      if has[lane] then
        if not named then
          local stand = stand_of(group, participant)
          learn(stand.needs)
          say('person', rank, participant, whole(stand.tag), whole(stand.joined), whole(cost_of(stand.needs)), stand.needs)
          named = true
        end
        local line = { whole(redis.call('LLEN', key('line', lane, participant))) }
        for _, id in ipairs(redis.call('LRANGE', key('line', lane, participant), 0, 499)) do
          local about = redis.call('HMGET', key('job', id), 'seq', 'needs', 'submitted_at')
          learn(about[2])
          if tonumber(about[3]) < stored then oldest, stored = id, tonumber(about[3]) end
          line[#line + 1] = id .. ' ' .. about[1] .. ' ' .. about[2]
        end
        say('line', table.concat(line, ' '))
      end
    end
  end
end
if oldest then say('oldest', oldest) end
return answer
