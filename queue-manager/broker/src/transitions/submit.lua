-- Stores a job at the tail of its owner's line, or at the head with `front`.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms
-- ARGV[2] job id             ARGV[3] participant         ARGV[4] lane
-- ARGV[5] needs id           ARGV[6] needs as JSON
-- ARGV[7] SHA-256 of body    ARGV[8] body, empty when it is in the file store   ARGV[9] its bytes as submitted
-- ARGV[10] client id or ''   ARGV[11] '1' for front      ARGV[12] the workflow's own id or ''
-- ARGV[13] bound inputs as JSON or ''
-- ARGV[14] waiting cap of a participant                  ARGV[15] waiting cap of the workshop
-- Answers accepted seq | repeated state | conflict | full_participant waiting | full_workshop waiting

local id, participant, lane, needs = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local known = redis.call('HMGET', key('job', id), 'participant', 'body_hash', 'state')
if known[1] then
  if known[1] == participant and known[2] == ARGV[7] then return { 'repeated', known[3] } end
  return { 'conflict' }
end

local waiting = tonumber(redis.call('HGET', key('counts'), 'pending') or '0')
if waiting >= tonumber(ARGV[15]) then return { 'full_workshop', whole(waiting) } end
local own = 0
for _, each in ipairs(LANES) do own = own + redis.call('LLEN', key('line', each, participant)) end
if own >= tonumber(ARGV[14]) then return { 'full_participant', whole(own) } end

local seq = redis.call('INCR', key('seq', '@jobs'))
redis.call('HSET', key('job', id),
  'participant', participant, 'lane', lane, 'seq', whole(seq), 'state', 'pending', 'reason', '',
  'token', '0', 'attempts', '0', 'crashes', '0', 'worker', '', 'needs', needs,
  'body_hash', ARGV[7], 'body_bytes', ARGV[9], 'body_in', ARGV[8] == '' and 'files' or 'redis',
  'client', ARGV[10], 'workflow', ARGV[12], 'submitted_at', whole(now))
if ARGV[8] ~= '' then redis.call('SET', key('body', id), ARGV[8]) end
if ARGV[13] ~= '' then redis.call('SET', key('inputs', id), ARGV[13]) end
redis.call('HSETNX', key('needs'), needs, ARGV[6])
redis.call('ZADD', key('mine', participant), now, id)
count(nil, 'pending')

local line = key('line', lane, participant)
if ARGV[11] == '1' then
  -- The newcomer takes the first place and every own job moves back by one, so nobody else's turn changes.
  local place = nil
  for _, other in ipairs(redis.call('LRANGE', line, 0, -1)) do
    local theirs = redis.call('HGET', key('job', other), 'seq')
    redis.call('HSET', key('job', place and place.id or id), 'seq', theirs)
    place = { id = other }
  end
  if place then redis.call('HSET', key('job', place.id), 'seq', whole(seq)) end
  redis.call('LPUSH', line, id)
  index_head(lane, participant)
elseif redis.call('RPUSH', line, id) == 1 then
  index_head(lane, participant)
end
announce(id, participant, 'pending', '', '', ARGV[10])
return { 'accepted', whole(seq) }
