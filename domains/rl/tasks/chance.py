"""What a policy that acts at random scores: the zero of every normalised return.

Measured with `python -m domains.rl.chance TASK EPISODES` over 1,000 episodes (classic control, MinAtar), and over 100
(Atari, by protocol: sticky actions and another frame skip change what random play gets); the standard errors stand beside
the numbers.
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
    "atari/assault/nature": 242.97,  # 6.21
    "atari/assault/machado": 304.50,  # 8.43
    "atari/assault/yu": 249.27,  # 6.67
    "atari/berzerk/nature": 134.20,  # 11.72
    "atari/berzerk/machado": 138.50,  # 10.63
    "atari/berzerk/yu": 168.80,  # 11.62
    "atari/breakout/nature": 1.26,  # 0.14
    "atari/breakout/machado": 1.52,  # 0.12
    "atari/breakout/yu": 1.31,  # 0.12
    "atari/centipede/nature": 2_179.18,  # 131.23
    "atari/centipede/machado": 2_232.41,  # 132.67
    "atari/centipede/yu": 2_261.95,  # 120.52
    "atari/kangaroo/nature": 34.00,  # 9.87
    "atari/kangaroo/machado": 38.00,  # 8.38
    "atari/kangaroo/yu": 46.00,  # 9.79
    "atari/krull/nature": 1_710.60,  # 52.70
    "atari/krull/machado": 1_680.40,  # 58.14
    "atari/krull/yu": 1_776.70,  # 61.05
    "atari/qbert/nature": 165.00,  # 15.61
    "atari/qbert/machado": 153.25,  # 15.41
    "atari/qbert/yu": 153.00,  # 13.40
    "atari/seaquest/nature": 73.40,  # 6.12
    "atari/seaquest/machado": 70.80,  # 5.23
    "atari/seaquest/yu": 83.60,  # 6.37
    "atari/space_invaders/nature": 142.10,  # 8.33
    "atari/space_invaders/machado": 143.60,  # 9.69
    "atari/space_invaders/yu": 148.55,  # 10.18
}
