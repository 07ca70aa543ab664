"""The optimisers and their learning rate."""

import keras
from keras import ops


def build_optimizer(settings, steps_per_epoch):
    """Builds the optimiser that the settings name, with warm-up and a cosine that ends at 0.

    Args:
        settings: `TrainingSettings`.
        steps_per_epoch: Training steps in an epoch.

    Returns:
        `keras.optimizers.Optimizer`; its weight decay leaves biases and normalisation alone.
    """
    steps = settings.epochs * steps_per_epoch
    warmup_steps = min(round(settings.warmup * steps), steps - 1)  # Keras wants a step for the cosine
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else settings.learning_rate,
        decay_steps=steps - warmup_steps,
        warmup_target=settings.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
    )
    arguments = {
        "learning_rate": schedule,
        "weight_decay": settings.weight_decay,  # 0, not None, which AdamW refuses
        "global_clipnorm": settings.clip_norm or None,
        "use_ema": settings.ema > 0,
        "ema_momentum": settings.ema or 0.99,
    }
    if settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=0.9, nesterov=True, **arguments)
    elif settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(**arguments)
    else:
        optimizer = KernelMuon(
            adam_weight_decay=settings.weight_decay or None, exclude_layers=["logits"], **arguments
        )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


class KernelMuon(keras.optimizers.Muon):
    """Muon that also orthogonalises the kernels of convolutions, as matrices of (inputs, filters).

    Keras's own hands everything that is not a matrix to AdamW, in a network of convolutions nearly all weights.

    Source:
        Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/, which flattens kernels likewise.
    """

    def _should_use_adamw(self, variable):
        if len(variable.shape) == 4:
            return False
        return super()._should_use_adamw(variable)

    def zeropower_via_newtonschulz5(self, x, steps):
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        return ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x):
        # The scale of an update depends on the sides of the matrix, not of the kernel.
        return ops.reshape(super().lr_adjust(ops.reshape(x, (-1, x.shape[-1]))), x.shape)


def averaged_weights(optimizer, variables):
    """Returns the values to save for the trained variables: their moving averages if the optimiser keeps any.

    Keras offers the averages only by overwriting the weights with them, which would end the training.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # under float16, inside a loss scaler
    return optimizer._model_variables_moving_average if optimizer.use_ema else variables
