-- Where a waiting job stands: 1 for the one that starts next, by arrival. Lines are sorted by place, so each is
-- counted by halving: O(participants x log of a line).
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2..] job ids
-- Answers a position for each id, '' for one that does not wait

local fields = redis.call('SMEMBERS', key('lines'))

local function before(lane, participant, seq)
  local line = key('line', lane, participant)
  local low, high = 0, redis.call('LLEN', line)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local theirs = tonumber(redis.call('HGET', key('job', redis.call('LINDEX', line, middle)), 'seq'))
    if theirs < seq then low = middle + 1 else high = middle end
  end
  return low
end

local answer = {}
for i = 2, #ARGV do
  local job = read_job(ARGV[i])
  local position = ''
  if job and job.state == 'pending' then
    local ahead = 0
    for _, field in ipairs(fields) do
      local lane, participant = field:match('^(.-)/(.+)$')
      if lane == 'instructor' and job.lane ~= 'instructor' then
        ahead = ahead + redis.call('LLEN', key('line', lane, participant))
      elseif lane == 'instructor' or job.lane ~= 'instructor' then
        ahead = ahead + before(lane, participant, tonumber(job.seq))
      end
    end
    position = whole(ahead + 1)
  end
  answer[#answer + 1] = position
end
return answer
