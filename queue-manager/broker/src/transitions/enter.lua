-- Begins a session of an account that is as it was when somebody proved to be it. Beyond the cap the oldest one ends, and
-- whoever holds sockets of it closes those.
-- Refused when the store is full
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] account   ARGV[3] its generation then   ARGV[4] id of the session
-- ARGV[5] SHA-256 of its secret   ARGV[6] what the browser calls itself   ARGV[7] ms that it lasts without a request
-- ARGV[8] ms that it lasts at most   ARGV[9] sessions that an account may have
-- Answers in | over (the account is gone or disabled, or its sessions were ended since)

local name, secret, cap = ARGV[2], ARGV[5], tonumber(ARGV[9])
local account = redis.call('HMGET', key('account', name), 'role', 'generation', 'disabled')
if not account[1] or account[3] == '1' or (account[2] or '0') ~= ARGV[3] then return { 'over' } end

local session, sessions = key('session', secret), key('sessions', name)
redis.call('HSET', session, 'account', name, 'generation', ARGV[3], 'made_at', whole(now), 'about', ARGV[6])
redis.call('PEXPIRE', session, ARGV[7])
redis.call('HSET', sessions, ARGV[4], secret)
redis.call('PEXPIRE', sessions, ARGV[8])
if redis.call('HLEN', sessions) <= cap then return { 'in' } end

local others, listed = {}, redis.call('HGETALL', sessions)
for i = 1, #listed, 2 do
  local id, other = listed[i], listed[i + 1]
  local made_at = redis.call('HGET', key('session', other), 'made_at')
  if not made_at then
    redis.call('HDEL', sessions, id)
  elseif other ~= secret then
    table.insert(others, { id = id, secret = other, made_at = tonumber(made_at) })
  end
end
table.sort(others, function(a, b) return a.made_at < b.made_at end)
for i = 1, #others + 1 - cap do
  redis.call('DEL', key('session', others[i].secret))
  redis.call('HDEL', sessions, others[i].id)
  redis.call('PUBLISH', key('doors'), cjson.encode({ session_over = others[i].secret }))
end
return { 'in' }
