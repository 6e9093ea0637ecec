-- In priority mode a job that has waited long in its lane moves up one, so that nobody starves; never into the
-- instructor's.
-- With workers turns places ordering
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] usual wait in ms before a job moves up, 0 for never
-- Answers aged how many

local limit = tonumber(setting('ageing_ms', ARGV[2]))
if mode() ~= 'priority' or limit == 0 then return { 'aged', '0' } end
local UP = { low = 'normal', normal = 'high' }
local aged = 0
-- Upper lanes first, so that nothing moves twice.
for _, lane in ipairs({ 'normal', 'low' }) do
  for _, participant in ipairs(everyone_waiting()) do
    local id = redis.call('LINDEX', key('line', lane, participant), 0)
    while id and aged < 500 do
      local job = redis.call('HMGET', key('job', id), 'laned_at', 'submitted_at')
      if now - tonumber(job[1] or job[2]) < limit then break end
      change_lane(id, read_job(id), UP[lane])
      aged = aged + 1
      id = redis.call('LINDEX', key('line', lane, participant), 0)
    end
  end
end
return { 'aged', whole(aged) }
