-- Whose turn it is. Each participant with a waiting job stands once in each group of lanes, at a tag: the smallest tag
-- of all classes of needs that a worker can run is next, and ties go by who joined first.
--   fifo         tag = the arrival number of the head job
--   round_robin  tag = a round; a claim costs one. So between two turns of anyone, everyone else who waits gets one.
--   priority     the same, in each lane apart
--   fair         tag = GPU ms used; a claim costs the usual length of such a job, corrected when it ends
-- Coming back, a participant stands at max(own last tag, tag served last): nobody banks turns or owes them.

local FOUR = { { name = 'instructor', lanes = { 'instructor' } }, { name = 'high', lanes = { 'high' } },
  { name = 'normal', lanes = { 'normal' } }, { name = 'low', lanes = { 'low' } } }
local TWO = { FOUR[1], { name = 'rest', lanes = { 'high', 'normal', 'low' } } }
local USUAL_MS = 20000

local function mode() return setting('mode', 'fifo') end
local function groups() return mode() == 'priority' and FOUR or TWO end
local function group_of(lane)
  for _, group in ipairs(groups()) do
    for _, each in ipairs(group.lanes) do if each == lane then return group end end
  end
end

-- A change of mode begins a new generation: older tags and debts count for nothing.
local function generation() return setting('generation', '0') end

local function debt(group, participant)
  local gen, tag = (redis.call('HGET', key('last', participant), group.name) or ''):match('^(%S+) (%S+)$')
  return gen == generation() and tonumber(tag) or 0
end

local function set_debt(group, participant, tag)
  redis.call('HSET', key('last', participant), group.name, generation() .. ' ' .. whole(math.max(tag, 0)))
end

-- The tag served last: in the group, and in fair mode by any kind of worker that could serve these needs.
local function served(group, needs)
  if mode() ~= 'fair' then return tonumber(redis.call('HGET', key('served'), group.name .. '/@') or '0') end
  local most = 0
  for _, kind in pairs(workers_here()) do
    if can(kind, needs) ~= '0' then
      most = math.max(most, tonumber(redis.call('HGET', key('served'), group.name .. '/' .. kind) or '0'))
    end
  end
  return most
end

local function note_served(group, kind, tag)
  local field = group.name .. '/' .. (mode() == 'fair' and kind or '@')
  if tag > tonumber(redis.call('HGET', key('served'), field) or '0') then
    redis.call('HSET', key('served'), field, whole(tag))
  end
end

local function cost_of(needs)
  if mode() ~= 'fair' then return 1 end
  return math.max(tonumber(redis.call('HGET', key('costs'), needs) or USUAL_MS), 1)
end

-- Where a participant stands in a group: { needs, tag, joined }.
local function entry_of(group, participant)
  local needs, tag, joined =
    (redis.call('HGET', key('heads'), group.name .. '/' .. participant) or ''):match('^(%S+) (%S+) (%S+)$')
  return needs and { needs = needs, tag = tonumber(tag), joined = tonumber(joined) } or nil
end

-- A zset breaks ties by name, so names begin with the number of joining.
local function member(participant, entry) return string.format('%016.0f', entry.joined) .. participant end

local function strike(group, participant, entry)
  local turns = key('turns', group.name, entry.needs)
  redis.call('ZREM', turns, member(participant, entry))
  if redis.call('EXISTS', turns) == 0 then redis.call('SREM', key('classes', group.name), entry.needs) end
  redis.call('HDEL', key('heads'), group.name .. '/' .. participant)
end

local function enter(group, participant, entry)
  redis.call('ZADD', key('turns', group.name, entry.needs), whole(entry.tag), member(participant, entry))
  redis.call('SADD', key('classes', group.name), entry.needs)
  redis.call('HSET', key('heads'), group.name .. '/' .. participant,
    entry.needs .. ' ' .. whole(entry.tag) .. ' ' .. whole(entry.joined))
end

-- The oldest waiting job of a participant in a group: id, place, needs, lane.
local function head_of(group, participant)
  local head
  for _, lane in ipairs(group.lanes) do
    local id = redis.call('LINDEX', key('line', lane, participant), 0)
    if id then
      local job = redis.call('HMGET', key('job', id), 'seq', 'needs')
      local seq = tonumber(job[1])
      if not head or seq < head.seq then head = { id = id, seq = seq, needs = job[2], lane = lane } end
    end
  end
  return head
end

-- Puts a participant where claims look, or takes them away: nothing waits, or they are at their running cap.
-- `back` is the place of a job that was taken back: an earlier one is theirs again.
local function index(group, participant, at_cap, back)
  local before = entry_of(group, participant)
  local head = not at_cap and head_of(group, participant)
  local entry
  if head then
    if mode() == 'fifo' then
      entry = { tag = head.seq, joined = 0 }
    elseif before then
      entry = { tag = before.tag, joined = before.joined }
    else
      local tag = math.max(debt(group, participant), served(group, head.needs))
      entry = { tag = tag, joined = redis.call('INCR', key('joined')) }
    end
    if back and mode() ~= 'fifo' and (back.tag < entry.tag or (back.tag == entry.tag and back.joined < entry.joined)) then
      entry = { tag = back.tag, joined = back.joined }
    end
    entry.needs = head.needs
  end
  local same = before and entry and before.needs == entry.needs and before.tag == entry.tag
    and before.joined == entry.joined
  if same then return end
  if before then strike(group, participant, before) end
  if not entry then return end
  enter(group, participant, entry)
  if not before or before.needs ~= entry.needs then wake(entry.needs) end
end
