-- Cancels everything that waits, a bounded number at a time. What runs goes on.
-- With workers turns places
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] how many there must be, '' for any number   ARGV[3] how many at most now
-- Answers cleared how many | changed how many there are

local waiting = tonumber(redis.call('HGET', key('counts'), 'pending') or '0')
if ARGV[2] ~= '' and tonumber(ARGV[2]) ~= waiting then return { 'changed', whole(waiting) } end
local most, ids = tonumber(ARGV[3]), {}
local function add(found)
  for _, id in ipairs(found) do if #ids < most then ids[#ids + 1] = id end end
end
for _, field in ipairs(redis.call('SMEMBERS', key('lines'))) do
  local lane, participant = field:match('^(.-)/(.+)$')
  add(redis.call('LRANGE', key('line', lane, participant), 0, most - 1))
end
local held = redis.call('SMEMBERS', key('held'))
held[#held + 1] = '@'
for _, needs in ipairs(held) do add(redis.call('ZRANGE', key('held', needs), 0, most - 1)) end
add(redis.call('ZRANGE', key('later'), 0, most - 1))
local cleared = 0
for _, id in ipairs(ids) do
  local job = read_job(id)
  -- Taking one out may have put the next one elsewhere, and what runs may be due for a delayed cancel.
  if job.state == 'pending' then
    settle(id, job, 'cancelled', '', '{}')
    cleared = cleared + 1
  end
end
return { 'cleared', whole(cleared) }
