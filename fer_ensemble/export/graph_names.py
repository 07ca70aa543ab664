"""What the inputs and outputs of an exported graph are called."""

FACES = "faces"
PROBABILITIES = "probabilities"
CLASS_MAPS = "class_maps"
