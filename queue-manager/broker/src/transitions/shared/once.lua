-- Stands behind a script that says "Answers once": the same call sent again changes nothing and hears what the first one
-- heard. `transition` is that script.
-- KEYS[2] where the answer of this call is kept

local answered = redis.call('GET', KEYS[2])
if answered then return cjson.decode(answered) end
local answer = transition()
redis.call('SET', KEYS[2], cjson.encode(answer), 'PX', 60000)
return answer
