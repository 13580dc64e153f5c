"""LunarLander around Box2D's physics: equal to gymnasium's to the bit, without its checks and its copies."""

from __future__ import annotations

from math import cos, sin, sqrt
from typing import Any

PER_METRE = 30.0
PER_SECOND = 50
HALF_WIDTH = 600 / PER_METRE / 2
HALF_HEIGHT = 400 / PER_METRE / 2
LEGS_BELOW = 18 / PER_METRE
MAIN_ENGINE, SIDE_ENGINE = 13.0, 0.6
MAIN_BELOW = 4 / PER_METRE
SIDE_AWAY, SIDE_ABOVE, SIDE_BELOW = 12 / PER_METRE, 14, 17

NOTHING, LEFT, MAIN, RIGHT = range(4)
FUEL = {NOTHING: 0.0, LEFT: 0.03, MAIN: 0.3, RIGHT: 0.03}
"""Action -> what it costs."""

Flight = tuple[tuple[float, ...], float, bool, bool, dict[str, Any]]


class Lander:
    """One of gymnasium's: it builds the world at every reset, and this flies in it, with discrete actions and no wind.

    Args:
        env: gymnasium's, without wrappers and without a `render_mode`.
    """

    def __init__(self, env: Any) -> None:
        self.env = env

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """A new world; the observation is an array (8,)."""
        begun: tuple[Any, dict[str, Any]] = self.env.reset(seed=seed)
        return begun

    def step(self, action: int) -> Flight:
        """What gymnasium's `step` gives, in its order of operations; the observation is a tuple of eight numbers."""
        env = self.env
        body = env.lander
        self._fire(body, action)
        env.world.Step(1.0 / PER_SECOND, 180, 60)
        place, velocity, angle = body.position, body.linearVelocity, body.angle
        x = (place.x - HALF_WIDTH) / HALF_WIDTH
        y = (place.y - (env.helipad_y + LEGS_BELOW)) / HALF_HEIGHT
        speed_x = velocity.x * HALF_WIDTH / PER_SECOND
        speed_y = velocity.y * HALF_HEIGHT / PER_SECOND
        legs = env.legs
        left, right = 1.0 if legs[0].ground_contact else 0.0, 1.0 if legs[1].ground_contact else 0.0
        distance, speed = sqrt(x * x + y * y), sqrt(speed_x * speed_x + speed_y * speed_y)
        merit = -100 * distance - 100 * speed - 100 * abs(angle) + 10 * left + 10 * right
        reward = merit - env.prev_shaping - FUEL[action]
        env.prev_shaping = merit
        rests = not body.awake
        crashed = env.game_over or abs(x) >= 1.0
        if rests or crashed:
            reward = 100.0 if rests else -100.0
        seen = (x, y, speed_x, speed_y, angle, 20.0 * body.angularVelocity / PER_SECOND, left, right)
        return seen, reward, rests or crashed, False, {}

    def close(self) -> None:
        """Close gymnasium's."""
        self.env.close()

    def _fire(self, body: Any, action: int) -> None:
        """Push the body, at a place and in a direction that are a little off."""
        random = self.env.np_random.random  # a call of `uniform` costs four of these
        along, across = (2.0 * random() - 1.0) / PER_METRE, (2.0 * random() - 1.0) / PER_METRE
        if action == NOTHING:
            return
        angle = body.angle
        sine, cosine = sin(angle), cos(angle)
        centre = body.position
        x, y = centre.x, centre.y
        if action == MAIN:
            off = MAIN_BELOW + 2 * along
            push_x, push_y = sine * off - cosine * across, -cosine * off - sine * across
            body.ApplyLinearImpulse((-push_x * MAIN_ENGINE, -push_y * MAIN_ENGINE), (x + push_x, y + push_y), True)
            return
        off = 3 * across + (SIDE_AWAY if action == RIGHT else -SIDE_AWAY)
        push_x, push_y = sine * along - cosine * off, -cosine * along - sine * off
        place = (x + push_x - sine * SIDE_BELOW / PER_METRE, y + push_y + cosine * SIDE_ABOVE / PER_METRE)
        body.ApplyLinearImpulse((-push_x * SIDE_ENGINE, -push_y * SIDE_ENGINE), place, True)
