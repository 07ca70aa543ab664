"""The optimisers."""

import keras
from keras import ops

from fer_ensemble.training.schedules import OneCycle, Plateau, build_schedule
from fer_ensemble.training.settings import TrainingSettings


def build_optimizer(
    settings: TrainingSettings, steps_per_epoch: int, schedule: object = None
) -> keras.optimizers.Optimizer:
    """Builds the optimiser that the settings name.

    Args:
        settings: `TrainingSettings`.
        steps_per_epoch: Training steps in an epoch.
        schedule: Its learning rate; None for the schedule that the settings name.

    Returns:
        `keras.optimizers.Optimizer`; its weight decay leaves biases and normalisation alone.
    """
    schedule = schedule or build_schedule(settings, settings.epochs * steps_per_epoch)
    arguments = {
        "learning_rate": schedule,
        "weight_decay": settings.weight_decay,  # 0, not None, which AdamW refuses
        "global_clipnorm": settings.clip_norm or None,
        "clipvalue": settings.clip_value or None,
        "use_ema": settings.ema > 0,
        "ema_momentum": settings.ema or 0.99,
    }
    kinds = {"sgd": keras.optimizers.SGD, "adamw": keras.optimizers.AdamW, "muon": KernelMuon}
    if isinstance(schedule, OneCycle):
        kinds = {"sgd": CycledSGD, "adamw": CycledAdamW, "muon": CycledKernelMuon}
    kind = kinds[settings.optimizer]
    if settings.optimizer == "sgd":
        arguments |= {"momentum": 0.9, "nesterov": True}
    if settings.freeze_backbone_epochs or settings.backbone_learning_rate != 1:
        kind = type(f"TwoRate{kind.__name__}", (TwoRates, kind), {})
        arguments["frozen_steps"] = settings.freeze_backbone_epochs * steps_per_epoch
        arguments["backbone_factor"] = settings.backbone_learning_rate
    optimizer = kind(**arguments)
    if isinstance(schedule, Plateau):
        schedule.add_variable(optimizer)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


class TwoRates:
    """Gives the backbone a learning rate of its own. Comes before an optimiser's class among the bases.

    The head is what follows the convolutions: the variables from the first dense layer's kernel on. It learns at
    the optimiser's rate; all before it, the backbone, at that rate times `backbone_factor`, and in the first
    `frozen_steps` steps not at all. Gradients and their moments are computed all the same, so that nothing is
    compiled anew and Adam knows their size when the backbone begins to learn; the statistics of batch
    normalisations move.

    Source:
        Howard & Ruder (2018), https://arxiv.org/abs/1801.06146, for learning rates that differ by layer.
    """

    def __init__(self, frozen_steps: int, backbone_factor: float, **arguments: object):
        super().__init__(**arguments)
        self.frozen_steps = frozen_steps
        self.backbone_factor = backbone_factor

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self._head = next(number for number, variable in enumerate(variables) if len(variable.shape) == 2)
        # Noted here: TensorFlow hands `update_step` variables without a name.
        self._decays = [bool(self.weight_decay) and self._use_weight_decay(variable) for variable in variables]

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: keras.KerasTensor
    ) -> None:
        index = self._get_variable_index(variable)
        if index < self._head:
            frozen = ops.less(self.iterations, self.frozen_steps)
            learning_rate = ops.where(frozen, 0.0, learning_rate * self.backbone_factor)
        if self._decays[index]:
            rate = ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, ops.convert_to_tensor(variable) * self.weight_decay * rate)
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        pass  # it is part of each variable's step


class KernelMuon(keras.optimizers.AdamW):
    """Muon for the kernels of convolutions and hidden dense layers, AdamW for everything else.

    A kernel's momentum is replaced by the nearest (semi-)orthogonal matrix, so that every direction in it learns
    at the same rate. Keras's own Muon leaves the kernels of convolutions, nearly all weights here, to AdamW.

    Source:
        Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/, which flattens kernels likewise; scaled
        to the size of AdamW's steps as in Liu et al. (2025), https://arxiv.org/abs/2502.16982.
    """

    momentum = 0.95
    step_size = 0.2  # root mean square of an AdamW step, in learning rates

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        # Noted here: TensorFlow hands `update_step` variables without a path.
        self._kernels = [len(variable.shape) > 1 and "logits" not in variable.path for variable in variables]

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: keras.KerasTensor
    ) -> None:
        index = self._get_variable_index(variable)
        if not self._kernels[index]:
            super().update_step(gradient, variable, learning_rate)
            return
        average = self._momentums[index]
        self.assign(average, self.momentum * average + gradient)
        direction = ops.reshape(gradient + self.momentum * average, (-1, variable.shape[-1]))
        scale = self.step_size * max(direction.shape) ** 0.5
        step = ops.cast(learning_rate, variable.dtype) * scale * orthogonalize(direction)
        self.assign_sub(variable, ops.reshape(step, variable.shape))


class _CycledMomentum:
    """Takes an optimiser's momentum, at each step, from its `OneCycle`. Comes first among the bases."""

    @property
    def beta_1(self):
        return self._learning_rate.momentum(self.iterations)

    @beta_1.setter
    def beta_1(self, value):
        pass  # Keras sets what it was given when the optimiser is made


class CycledAdamW(_CycledMomentum, keras.optimizers.AdamW):
    """AdamW whose beta_1 follows the schedule; the first moment is corrected as if it always had been so."""


class CycledKernelMuon(_CycledMomentum, KernelMuon):
    """`KernelMuon` whose momentum follows the schedule, as the beta_1 of all else does."""

    momentum = _CycledMomentum.beta_1


class CycledSGD(keras.optimizers.SGD):
    """SGD with Nesterov momentum that follows the schedule."""

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: keras.KerasTensor
    ) -> None:
        # As Keras has it, but that this asks in Python whether there is any momentum, which a graph cannot tell.
        velocity = self.momentums[self._get_variable_index(variable)]
        momentum, step = self._learning_rate.momentum(self.iterations), gradient * learning_rate
        self.assign(velocity, velocity * momentum - step)
        self.assign_add(variable, velocity * momentum - step)


def orthogonalize(matrix: keras.KerasTensor) -> keras.KerasTensor:
    """Brings all singular values of a matrix near 1, from about 0.7 to 1.2, by 5 Newton-Schulz iterations.

    Every iteration multiplies the matrix by a polynomial of its Gram matrix, so that the small square Gram matrix
    is all that has to be iterated: the matrix itself, up to nine times as long, takes part in two products only.

    Args:
        matrix: Float tensor, shape `(rows, columns)`.

    Returns:
        Tensor like `matrix`.

    Source:
        Jordan et al. (2024), https://kellerjordan.github.io/posts/muon/, for the coefficients.
    """
    matrix = matrix / (ops.norm(matrix) + 1e-7)
    wide = matrix.shape[0] < matrix.shape[1]
    gram = ops.matmul(matrix, ops.transpose(matrix)) if wide else ops.matmul(ops.transpose(matrix), matrix)
    identity = ops.eye(gram.shape[0], dtype=gram.dtype)
    factor = identity
    for _ in range(5):
        polynomial = 3.4445 * identity - 4.7750 * gram + 2.0315 * ops.matmul(gram, gram)
        factor = ops.matmul(polynomial, factor)
        gram = ops.matmul(polynomial, ops.matmul(gram, polynomial))
    return ops.matmul(factor, matrix) if wide else ops.matmul(matrix, factor)


def averaged_weights(optimizer: keras.optimizers.Optimizer, variables: list) -> list:
    """Returns the values to save for the trained variables: their moving averages if the optimiser keeps any.

    Keras offers the averages only by overwriting the weights with them, which would end the training.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # under float16, inside a loss scaler
    return optimizer._model_variables_moving_average if optimizer.use_ema else variables
