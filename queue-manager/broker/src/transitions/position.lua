-- Where a waiting job stands: 1 for the one that starts next, if nothing changed from now on. By counting the turns
-- that everyone else gets before it: O(participants) for each job, whatever the length of their lines.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2..] job ids
-- Answers a position for each id, '' for one that does not wait in line

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
  end
  return one
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

local answer = {}
for i = 2, #ARGV do
  local job, position = read_job(ARGV[i]), ''
  local in_line = job and job.state == 'pending' and job.reason ~= 'on_hold' and job.reason ~= 'held'
    and job.reason ~= 'backing_off' and job.reason ~= 'cancelling'
  if in_line then
    local seq, ahead = tonumber(job.seq), 0
    for rank, group in ipairs(groups()) do
      local mine = group == group_of(job.lane)
      local own = mine and places_before(people[rank][job.participant], job.participant, seq) or 0
      local me = mine and stand_of(group, job.participant, people[rank][job.participant])
      for participant, other in pairs(people[rank]) do
        if not mine then
          ahead = ahead + other.waiting
        elseif participant == job.participant then
          ahead = ahead + own
        elseif mode() == 'fifo' then
          ahead = ahead + places_before(other, participant, seq)
        else
          ahead = ahead + turns_before(stand_of(group, participant, other), me, own)
        end
      end
      if mine then break end
    end
    position = whole(ahead + 1)
  end
  answer[#answer + 1] = position
end
return answer
