-- Stores a job at the tail of its owner's line, or where its number puts it.
-- With workers turns places ordering admission
-- Refused when the store is full
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms
-- ARGV[2] job id             ARGV[3] participant         ARGV[4] lane
-- ARGV[5] needs id           ARGV[6] needs as JSON
-- ARGV[7] SHA-256 of body    ARGV[8] body, empty when it is in the file store   ARGV[9] its bytes as submitted
-- ARGV[10] client id or ''   ARGV[11] 'front', a number or ''    ARGV[12] the workflow's own id or ''
-- ARGV[13] bound inputs as JSON or ''
-- ARGV[14] sealed keys of paid nodes or ''   ARGV[15] '1' when its nodes ask for them
-- ARGV[16..] usual caps: waiting of one, bytes of one, waiting of all, bytes of all
-- Answers accepted seq '1' where somebody here has not been taught about these needs | repeated state | conflict
--   | full (participant or workshop) (jobs or bytes) used

local id, participant, lane, needs = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

-- ComfyUI's order of one's own jobs: behind all that have this number or a smaller one.
local function place_of(job, number)
  local line = redis.call('LRANGE', key('line', job.lane, participant), 0, -1)
  for i, other in ipairs(line) do
    local theirs = redis.call('HGET', key('job', other), 'number') or redis.call('ZSCORE', key('mine', participant), other)
    if other ~= id and tonumber(theirs) > number then return i - 1 end
  end
  return #line
end

local known = redis.call('HMGET', key('job', id), 'participant', 'body_hash', 'state')
if known[1] then
  if known[1] == participant and known[2] == ARGV[7] then return { 'repeated', known[3] } end
  return { 'conflict' }
end
local full = no_room(participant, tonumber(ARGV[9]), { ARGV[16], ARGV[17], ARGV[18], ARGV[19] })
if full then return full end

redis.call('HSETNX', key('needs'), needs, ARGV[6])
if ARGV[8] ~= '' then redis.call('SET', key('body', id), ARGV[8]) end
if ARGV[13] ~= '' then redis.call('SET', key('inputs', id), ARGV[13]) end
if ARGV[14] ~= '' then redis.call('SET', key('sealed', id), ARGV[14]) end
local job = { participant = participant, lane = lane, needs = needs, body_bytes = ARGV[9], client = ARGV[10], worker = '' }
admit(id, job, 'body_hash', ARGV[7], 'body_in', ARGV[8] == '' and 'files' or 'redis', 'workflow', ARGV[12],
  'needs_keys', ARGV[15])
local arrival = job.seq
local number = ARGV[11] == 'front' and whole(-arrival) or ARGV[11]
if number ~= '' then redis.call('HSET', key('job', id), 'number', number) end
-- Without one it stays at the tail, unless somebody has put a job there with a number larger than any arrival.
local last = redis.call('LINDEX', key('line', job.lane, participant), -2)
local theirs = last and redis.call('HGET', key('job', last), 'number')
if number ~= '' or theirs and tonumber(theirs) > tonumber(arrival) then
  move_to(id, job, place_of(job, tonumber(number) or tonumber(arrival)))
end
queued(id, job)
return { 'accepted', arrival, untaught(needs) }
