"""The quotas in Redis: a script through which all gateways count together, as `window` does."""

from typing import Final

from gateway.limits.window import SLICES

CLOCK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
"""Milliseconds of Redis' clock, which all gateways share."""

RULES: Final = (
    f"local SLICES = {SLICES}\n"
    """
local requests, bytes, uploads = KEYS[1], KEYS[2], KEYS[3]
local act, length = ARGV[1], tonumber(ARGV[2])
local current = math.floor(now / length)
local lives = (SLICES + 1) * length

local function use(key, need, limit)
    local found, used = {}, 0
    local flat = redis.call('HGETALL', key)
    for at = 1, #flat, 2 do
        local slice, amount = tonumber(flat[at]), tonumber(flat[at + 1])
        if math.abs(current - slice) > SLICES then
            redis.call('HDEL', key, flat[at])
        else
            used = used + amount
            found[#found + 1] = {slice, amount}
        end
    end
    table.sort(found, function(one, other) return one[1] < other[1] end)
    local left, back, wait = used, 0, 0
    for _, each in ipairs(found) do
        local leaves = each[1] * length + lives - now
        if back == 0 and each[2] > 0 then back = leaves end
        if need > 0 and left + need > limit then
            wait = leaves
            left = left - each[2]
        end
    end
    return {used, back, wait}
end

local function add(key, amount)
    redis.call('HINCRBY', key, current, amount)
    redis.call('PEXPIRE', key, lives)
end

local function hold(id, lease)
    redis.call('ZADD', uploads, now + lease, id)
    redis.call('PEXPIRE', uploads, lease)
end

if act == 'ask' then
    local most, most_bytes, most_uploads = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
    local need, declared, id = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
    local made, sent, open = {0, 0, 0}, {0, 0, 0}, 0
    if most > 0 then made = use(requests, 1, most) end
    if most_bytes > 0 then sent = use(bytes, need, most_bytes) end
    if most_uploads > 0 then
        redis.call('ZREMRANGEBYSCORE', uploads, '-inf', now)
        open = redis.call('ZCARD', uploads)
    end
    local full = most_uploads > 0 and id ~= '' and open >= most_uploads
    if made[3] == 0 and sent[3] == 0 and not full then
        if most > 0 then add(requests, 1) end
        if most_bytes > 0 and declared > 0 then add(bytes, declared) end
        if most_uploads > 0 and id ~= '' then hold(id, tonumber(ARGV[9])) end
    end
    return {current, made, sent, open}
elseif act == 'end' then
    local slice, difference, id = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
    if difference > 0 then
        add(bytes, difference)
    elseif difference < 0 then
        local counted = tonumber(redis.call('HGET', bytes, slice) or 0)
        if counted > 0 then redis.call('HSET', bytes, slice, math.max(0, counted + difference)) end
    end
    if id ~= '' then redis.call('ZREM', uploads, id) end
elseif act == 'hold' then
    for at = 4, #ARGV do hold(ARGV[at], tonumber(ARGV[3])) end
end
"""
)
"""The script: counts a request at `now` if there is room, and corrects it at its end."""

SCRIPT: Final = CLOCK + RULES
