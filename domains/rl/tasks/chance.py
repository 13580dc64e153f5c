"""What a policy that acts at random scores: the zero of every normalised return.

Measured with `python -m domains.rl.chance TASK EPISODES` over 1,000 episodes (classic control, MinAtar), and over 100
under the protocol `nature` (Atari); the standard errors stand beside the numbers.
"""

CHANCE = {
    "CartPole-v0": 22.72,  # 0.40
    "CartPole-v1": 22.72,  # 0.40
    "Acrobot-v1": -498.89,  # 0.33
    "LunarLander-v3": -187.54,  # 3.45
    "minatar/asterix": 0.48,  # 0.03
    "minatar/breakout": 0.34,  # 0.02
    "minatar/freeway": 0.39,  # 0.02
    "minatar/seaquest": 0.09,  # 0.01
    "minatar/space_invaders": 3.91,  # 0.10
    "atari/assault": 242.97,  # 6.21
    "atari/berzerk": 134.20,  # 11.72
    "atari/breakout": 1.26,  # 0.14
    "atari/centipede": 2_179.18,  # 131.23
    "atari/kangaroo": 34.00,  # 9.87
    "atari/krull": 1_710.60,  # 52.70
    "atari/qbert": 165.00,  # 15.61
    "atari/seaquest": 73.40,  # 6.12
    "atari/space_invaders": 142.10,  # 8.33
}
