"""What tasks with torchvision's models must know of them. Imports no torch."""

KIND = "torchvision"
"""What stands before the colon in the name of such a model."""

TABLES = ("*class_token", "*pos_embedding", "*relative_position_bias_table", "*layer_scale")
"""Patterns of parameters that are no layers, whatever their dimensions: they are not pruned."""

ONE_WIDTH = {"small-dense": "torchvision's models have one width"}
"""Method -> why tasks with such a model cannot run it."""
