-- Looks over the room for what the instructor should know wherever they are: alerts that begin, and alerts whose cause has
-- been gone for a while. One that begins is put out to be sent, once, whoever looked.
-- With workers turns
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] ms of silence after which a worker is lost
-- ARGV[3] ms without a claim, while somebody could claim, after which the queue is stuck
-- ARGV[4] ms for which an alert outlives its cause   ARGV[5] '1' when alerts are sent somewhere
-- ARGV[6..] what only the caller can see: kind, detail, kind, detail …
-- Answers watched how many began

local began, ended, seen = 0, 0, {}

local function alert(kind, subject, detail)
  local id = subject == '' and kind or kind .. ':' .. subject
  local known = redis.call('HGET', key('alerts'), id)
  local since = known and cjson.decode(known).since or whole(now)
  local entry = cjson.encode({ id = id, kind = kind, subject = subject, detail = detail, since = since, seen = whole(now) })
  seen[id] = true
  redis.call('HSET', key('alerts'), id, entry)
  if known then return end
  began = began + 1
  if ARGV[5] ~= '1' then return end
  local message = ('msg_%s_%s'):format(id:gsub(':', '_'), since)
  redis.call('HSET', key('outbox'), message, entry)
  redis.call('ZADD', key('unsent'), now, message)
  -- A hook that has been dead for so long needs no more of them.
  for _, old in ipairs(redis.call('ZRANGE', key('unsent'), 100, -1)) do
    redis.call('ZREM', key('unsent'), old)
    redis.call('HDEL', key('outbox'), old)
    redis.call('HDEL', key('tries'), old)
  end
end

for i = 6, #ARGV, 2 do alert(ARGV[i], '', ARGV[i + 1]) end

local silent = whole(now - tonumber(ARGV[2]))
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', key('workers'), '-inf', '(' .. silent)) do
  local about = redis.call('HMGET', key('worker', worker), 'draining', 'unready')
  if about[1] ~= '1' and about[2] ~= 'leaving' then alert('worker_lost', worker, '') end
end

-- Whether a worker is free, or has been at one step for as long as the queue may stand still.
local function idles(worker, patience)
  local about = redis.call('HMGET', key('worker', worker), 'unready', 'job', 'stepped_at')
  local heard = tonumber(redis.call('ZSCORE', key('workers'), worker) or '0')
  if heard < tonumber(silent) or (about[1] or '') ~= '' then return false end
  if not about[2] then return true end
  local since = about[3] or redis.call('HGET', key('job', about[2]), 'started_at') or whole(now)
  return now - tonumber(since) >= patience
end

local function could_claim(patience)
  local idle = {}
  for worker, kind in pairs(workers_here()) do
    if idles(worker, patience) then idle[#idle + 1] = kind end
  end
  for _, group in ipairs(#idle > 0 and groups() or {}) do
    if group.name == 'instructor' or setting('paused', '0') ~= '1' then
      for _, needs in ipairs(redis.call('SMEMBERS', key('classes', group.name))) do
        for _, kind in ipairs(idle) do
          if can(kind, needs) == '1' and redis.call('ZCARD', key('turns', group.name, needs)) > 0 then return true end
        end
      end
    end
  end
  return false
end

-- Every claim takes a new token: while the last one stays the same, nothing was claimed.
local patience, tokens = tonumber(ARGV[3]), redis.call('GET', key('tokens')) or '0'
local stood = redis.call('HMGET', key('standstill'), 'tokens', 'since')
if not could_claim(patience) then
  redis.call('DEL', key('standstill'))
elseif stood[1] ~= tokens then
  redis.call('HSET', key('standstill'), 'tokens', tokens, 'since', whole(now))
elseif now - tonumber(stood[2]) >= patience then
  alert('queue_stuck', '', whole(math.floor((now - tonumber(stood[2])) / 60000)))
end

local looked = redis.call('GET', key('watched')) or whole(now)
redis.call('SET', key('watched'), whole(now))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('failures'), looked, '+inf', 'LIMIT', 0, 100)) do
  if redis.call('HGET', key('job', id), 'reason') == 'parked' then alert('job_parked', id, '') end
end

local all = redis.call('HGETALL', key('alerts'))
for i = 1, #all, 2 do
  local id, known = all[i], cjson.decode(all[i + 1])
  local over
  if known.kind == 'job_parked' then
    over = not redis.call('ZSCORE', key('failures'), known.subject)
  elseif known.kind == 'worker_lost' and not seen[id] then
    -- Forgotten, drained or back: nobody needs to wait for that.
    over = true
  else
    over = not seen[id] and now - tonumber(known.seen) >= tonumber(ARGV[4])
  end
  if over then
    redis.call('HDEL', key('alerts'), id)
    ended = ended + 1
  end
end
if began + ended > 0 then announce_room('problems') end
return { 'watched', whole(began) }
