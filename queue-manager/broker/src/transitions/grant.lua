-- Gives somebody a token for their programs, if they are still who they were when they asked.
-- Refused when the store is full
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] account   ARGV[3] its generation when they asked
-- ARGV[4] SHA-256 of the session they asked by, '' for none   ARGV[5] id of the token   ARGV[6] SHA-256 of its secret
-- ARGV[7] scopes   ARGV[8] label   ARGV[9] ms that it lasts   ARGV[10] tokens that one person may have
-- Answers granted | too_many | over (what they came with is worth nothing any more)

local name, secret, tokens = ARGV[2], ARGV[6], key('person-tokens')
local account = redis.call('HMGET', key('account', name), 'role', 'generation')
if not account[1] or (account[2] or '0') ~= ARGV[3] then return { 'over' } end
if ARGV[4] ~= '' and redis.call('EXISTS', key('session', ARGV[4])) == 0 then return { 'over' } end

local own, listed = 0, redis.call('HGETALL', tokens)
for i = 1, #listed, 2 do
  local token = redis.call('HMGET', key('token', listed[i + 1]), 'account', 'generation')
  if token[1] == name and token[2] ~= ARGV[3] then
    redis.call('DEL', key('token', listed[i + 1]))
    redis.call('HDEL', tokens, listed[i])
    redis.call('HDEL', key('tokens-used'), listed[i])
  elseif token[1] == name and listed[i + 1] ~= secret then
    own = own + 1
  end
end
if own >= tonumber(ARGV[10]) then return { 'too_many' } end

redis.call('HSET', key('token', secret), 'account', name, 'scopes', ARGV[7], 'label', ARGV[8], 'generation', ARGV[3],
  'made_at', whole(now), 'expires_at', whole(now + tonumber(ARGV[9])))
redis.call('HSET', tokens, ARGV[5], secret)
return { 'granted' }
