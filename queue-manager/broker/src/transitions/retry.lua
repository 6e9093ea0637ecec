-- Submits an ended job again as a new one, with the same body, inputs and tab. The old one stays as it is. One whose
-- nodes need the keys that came with it is refused: they went with its end, and only the tab has them.
-- With workers turns places admission
-- Refused when the store is full
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] owner it must have, '' for the instructor
-- ARGV[4] id of the new job   ARGV[5..] usual caps as for submit, four of them
-- Answers accepted seq untaught (as for submit) | repeated state | conflict | full … | not_ended state | keys | unknown

local old, id = ARGV[2], ARGV[4]
local was = redis.call('HGETALL', key('job', old))
local fields = {}
for i = 1, #was, 2 do fields[was[i]] = was[i + 1] end
if not fields.state or (ARGV[3] ~= '' and fields.participant ~= ARGV[3]) then return { 'unknown' } end
local known = redis.call('HMGET', key('job', id), 'retry_of', 'state')
if known[2] then
  if known[1] == old then return { 'repeated', known[2] } end
  return { 'conflict' }
end
if fields.state == 'pending' or fields.state == 'running' then return { 'not_ended', fields.state } end
if fields.needs_keys == '1' then return { 'keys' } end
local full = no_room(fields.participant, tonumber(fields.body_bytes), { ARGV[5], ARGV[6], ARGV[7], ARGV[8] })
if full then return full end

redis.call('COPY', key('body', old), key('body', id))
redis.call('COPY', key('inputs', old), key('inputs', id))
-- Only the instructor sets a lane: what a participant tries again stands where all their jobs do.
local lane = ARGV[3] == '' and fields.lane or 'normal'
local job = { participant = fields.participant, lane = lane, needs = fields.needs, body_bytes = fields.body_bytes,
  client = fields.client, worker = '' }
admit(id, job, 'body_hash', fields.body_hash, 'body_in', fields.body_in, 'workflow', fields.workflow or '', 'retry_of', old)
-- Whoever tries it again has seen that it failed.
redis.call('ZREM', key('failures'), old)
queued(id, job)
return { 'accepted', job.seq, untaught(job.needs) }
