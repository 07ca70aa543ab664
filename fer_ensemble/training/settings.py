"""Every choice that decides what a member is: one frozen class, whose fields are the commands' flags."""

import dataclasses
import itertools
import pathlib

from fer_ensemble.base.errors import UserError
from fer_ensemble.base.setting_fields import check_settings, setting
from fer_ensemble.data.fold_names import fold_name
from fer_ensemble.members.directory import run_name
from fer_ensemble.members.views import VIEWS

PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
# In this order they are numbered (fer_ensemble/launch/submission.py): a new one comes last.
MODELS = (
    "cnn", "resnet", "resnet9", "cnn4", "resnet18", "resnet34", "vgg16", "vgg19", "vgg16_bn", "vgg19_bn",
)  # fmt: skip
FOLDS = 4
RUNS = ("cnn_0", "cnn_1", "resnet_0", "resnet_1")  # of the standard ensemble: 4 runs x 4 folds = 16 members


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """The settings of one member. Each field's help text, units and range stand beside it.

    Raises:
        UserError: If a value is out of its range.
    """

    # What is trained, and on which part of the data.
    model: str = setting(
        "cnn",
        "Architecture. cnn, resnet: those of the standard ensemble; resnet9, cnn4: smaller ones; resnet18, "
        "resnet34, vgg16, vgg19, vgg16_bn, vgg19_bn: with --width=64 as published for ImageNet.",
        choices=MODELS,
    )
    fold: int | tuple[int, int] | None = setting(
        0,
        "The fold of Training that is held out; the member trains on the others. none: it trains on all of "
        "Training, but for --holdout. Two, as 0,1: a teacher of the members that hold out one of these.",
    )
    holdout: float = setting(
        0.0,
        "With --fold=none: share of Training that is held out, chosen at random by fold_seed, as much of each "
        "class; copies of an image stay together.",
        least=0.0,
        below=1.0,
    )
    replica: int = setting(0, "Number of the run: the same settings with other random numbers.", least=0)
    seed: int = setting(0, "Seed of the weights, the order and the augmentation.", least=0)
    fold_seed: int = setting(
        0, "Seed of the folds and of the holdout. All members of an ensemble share it.", least=0
    )

    # The network.
    width: int = setting(32, "Channels of the first layers; the deeper ones are multiples.", least=1)
    input_size: int = setting(
        48, "Height and width, in pixels, to which the model itself resizes the 48x48 faces.", least=16, most=1024
    )
    downsampling: str = setting(
        "maxpool",
        "What halves the resnet's feature maps: max pooling between the groups, or convolutions of stride 2.",
        choices=("maxpool", "stride"),
    )
    stem_stride: int = setting(
        1,
        "Stride of the first convolution of cnn and resnet. 2 makes what follows four times cheaper: for more "
        "width or more epochs.",
        least=1,
        most=2,
    )
    dropout: float = setting(
        0.2,
        "Probability of dropping a feature before each dense layer; in cnn4 also after each pooling.",
        least=0.0,
        below=1.0,
    )
    activation: str = setting(
        "relu",
        "What follows each convolution and each inner dense layer. leaky_relu has a slope of 0.2 below 0.",
        choices=("relu", "leaky_relu", "elu", "gelu", "silu"),
    )
    input_channels: int = setting(
        1, "Channels that the first convolution sees; 3: the grey values three times over.", choices=(1, 3)
    )
    pixel_statistics: str = setting(
        "unit",
        "What the model itself makes of grey values. unit: -1..1; dataset: mean 0 and standard deviation 1 over "
        "the training images; image: the same of each image by itself; imagenet: each channel by its mean and "
        "standard deviation over ImageNet.",
        choices=("unit", "dataset", "image", "imagenet"),
    )

    # What it starts from.
    pretrained: str = setting(
        "",
        "Weights to start from; empty: random ones. shipped: the network in the package (with --model=resnet9 "
        "--width=16). A member's folder ({fold} in it stands for the fold), a .keras or .weights.h5 file of the "
        "same architecture, torchvision's weights of resnet18, resnet34 or a vgg as a .safetensors file, or "
        "imagenet: Keras's of vgg16 or vgg19, which are downloaded. The logits "
        "are taken over if they are of these classes.",
    )
    pretrained_share: float = setting(
        0.0,
        "Share that the weights it started from keep in the finished network, which is a mean of both: better at "
        "what they were good at, less good at what is new.",
        least=0.0,
        below=1.0,
    )
    freeze_backbone_epochs: int = setting(
        0,
        "Epochs at the beginning in which only the head learns: the layers after the convolutions. The batch "
        "normalisations' statistics move nevertheless.",
        least=0,
    )
    backbone_learning_rate: float = setting(
        1.0, "Learning rate of all but the head, as a factor of the head's.", least=0.0
    )

    # The optimiser.
    optimizer: str = setting(
        "muon",
        "sgd: Nesterov momentum 0.9; adamw; muon: orthogonalised momentum for kernels, AdamW for the rest.",
        choices=("sgd", "adamw", "muon"),
    )
    learning_rate: float = setting(0.02, "Peak learning rate, after the warm-up.", least=0.0)
    schedule: str = setting(
        "cosine",
        "How the learning rate goes on after its rise. cosine: it falls to 0; onecycle: it both rises and falls "
        "as a cosine, while the momentum falls from 0.95 to 0.85 and rises again (--warmup=0.3 is usual); step: "
        "it is multiplied by decay_factor at each of the milestones; plateau: likewise, but whenever the loss of "
        "the held-out images stops falling.",
        choices=("cosine", "onecycle", "step", "plateau"),
    )
    warmup: float = setting(
        0.1,
        "Share of the training in which the learning rate rises, from 0 (onecycle: a 25th of its peak).",
        least=0.0,
        below=1.0,
    )
    milestones: str = setting(
        "0.5,0.75", "With --schedule=step: shares of the training after which the learning rate drops."
    )
    decay_factor: float = setting(
        0.1, "With step and plateau: what a drop multiplies the learning rate by.", least=0.0, below=1.0
    )
    patience: int = setting(
        5, "With --schedule=plateau: looks at the held-out images in a row without a new lowest loss.", least=1
    )
    weight_decay: float = setting(
        0.01,
        "Decoupled weight decay: each step takes this times the learning rate off the kernels.",
        least=0.0,
    )
    clip_norm: float = setting(0.0, "Largest norm of the whole gradient; 0 leaves it as it is.", least=0.0)
    clip_value: float = setting(
        0.0, "Largest size of each number in the gradient; 0 leaves them as they are.", least=0.0
    )
    ema: float = setting(
        0.0,
        "Momentum of the moving average of the weights, which is then what is saved; 0 turns it off. "
        "0.99 averages over about the last 100 steps.",
        least=0.0,
        below=1.0,
    )
    epochs: int = setting(
        30,
        "Passes over the training images. Fixed in advance: none is chosen by its score.",
        least=1,
        most=1_000_000,
    )
    batch_size: int = setting(128, "Images per training step.", least=2)
    label_smoothing: float = setting(
        0.1, "Share of each label spread evenly over all classes.", least=0.0, below=1.0
    )

    labels: str = setting(
        "fer2013",
        "What it trains on. fer2013: the data set's labels; ferplus: the shares of FER+'s ten voters, where the "
        "data have votes (--data=fer2013.csv,fer2013new.csv). Scores stay those of the labels.",
        choices=("fer2013", "ferplus"),
    )
    teacher: str = setting(
        "",
        "Folder of networks whose calibrated predictions are mixed into the labels; empty: the labels alone. With "
        "--fold=2 those of the members that held out fold 2 and the image's own fold (exp_0+2/, exp_1+2/ and "
        "exp_2+3/ in that folder), so that what is held out stays unknown; with --fold=none the out-of-fold "
        "predictions of a scored ensemble.",
    )
    teacher_share: float = setting(
        0.5, "Share of the teacher in what is learnt; the label has the rest.", least=0.0, most=1.0
    )
    extra_data: str = setting(
        "",
        "Further data, as for --data, whose Training images are learnt from, too, by their labels alone. None of "
        "them is held out or scored; copies of what is are left out.",
    )
    self_labels: float = setting(
        0.0,
        "Share of each image's target that is, after 40 % of the epochs, the mean of what the network itself said "
        "of that image before: labels that are wrong teach less.",
        least=0.0,
        most=1.0,
    )
    class_weight: str = setting(
        "none",
        "How much an image counts in the loss. none: all alike; balanced: each class the same in all; sqrt: half "
        "way. Rare classes are found more often, at the price of the common ones.",
        choices=("none", "balanced", "sqrt"),
    )

    # The augmentation. One random draw per image and epoch.
    shift: float = setting(0.1, "Largest shift, as a share of the image's side.", least=0.0, below=1.0)
    crop_padding: int = setting(
        0,
        "Pixels by which each side is padded before 48x48 pixels are cropped at random: a shift by whole pixels, "
        "besides --shift. What is beyond the edge repeats it, as in all augmentations.",
        least=0,
        below=48,
    )
    rotation: float = setting(10.0, "Largest rotation, in degrees either way.", least=0.0, most=180.0)
    zoom: float = setting(0.1, "Largest zoom, as a share of the size, in or out.", least=0.0, below=1.0)
    flip: bool = setting(True, "Mirror half of the images, left to right.")
    erasing: float = setting(
        0.0, "Probability of covering a random rectangle with one random grey.", least=0.0, most=1.0
    )
    brightness: float = setting(
        0.1, "Largest change of brightness, as a share of the range 0..255.", least=0.0, most=1.0
    )
    contrast: float = setting(0.2, "Largest change of contrast, as a share.", least=0.0, below=1.0)
    degradation: float = setting(
        0.0,
        "Probability of degrading an image by blur, low resolution, poor JPEG or noise: one of the four, each as "
        "often.",
        least=0.0,
        most=1.0,
    )
    mixup: float = setting(0.0, "Alpha of MixUp's Beta distribution; 0 turns it off.", least=0.0)
    cutmix: float = setting(
        0.0,
        "Alpha of CutMix's Beta distribution; 0 turns it off. With both, each image takes one of them.",
        least=0.0,
    )

    # How it is asked.
    tta: str = setting(
        "none",
        "Views of each face that the member's predictions are averaged over, and by default its ensemble's. none: "
        "the face alone; flip: and its mirror image; shifts: both also moved by two pixels in each direction; "
        "tencrop: its corners and centre, 44 pixels wide, and their mirror images. A finished member whose --tta "
        "is changed is not trained again, only asked again.",
        choices=tuple(VIEWS),
    )

    # How it runs.
    precision: str = setting(
        "auto",
        "Arithmetic of the training step; weights are kept in float32. auto: mixed_float16 on a GPU, "
        "mixed_bfloat16 on a CPU that has instructions for it, else float32.",
        choices=PRECISIONS,
    )
    deterministic: bool = setting(
        False,
        "The same weights, bit for bit, each time on the same device, however often the training is interrupted; "
        "slower on a GPU.",
    )
    validate_every: int = setting(
        1, "Epochs between two looks at the held-out fold, for the curves; 0: only at the end.", least=0
    )

    def __post_init__(self):
        check_settings(self)
        _check_fold(self.fold)
        if self.learning_rate == 0:
            raise UserError("`learning_rate` must be above 0. Received: 0.")
        if self.model.startswith("vgg") and self.input_size < 32:
            raise UserError(
                f"`input_size` must be at least 32 for {self.model}, which halves it five times. "
                f"Received: {self.input_size}."
            )
        if self.holdout and self.fold is not None:
            raise UserError(
                "`holdout` must be 0 beside a fold, which is held out already. Received: "
                f"{self.holdout:g} with fold {_brief(self.fold)}. Give --fold=none, too."
            )
        if self.teacher and (self.holdout or isinstance(self.fold, tuple)):
            raise UserError(
                "`teacher` takes one fold, or none without a `holdout`: of what else is held out, the teacher's "
                f"networks saw the labels. Received: fold {_brief(self.fold)}, holdout {self.holdout:g}."
            )
        if self.pretrained_share and not self.pretrained:
            raise UserError(
                "`pretrained_share` takes weights to start from, those that `pretrained` names. Received: "
                f"{self.pretrained_share:g} and none."
            )
        if self.self_labels and (self.mixup or self.cutmix):
            raise UserError(
                "`self_labels` takes images that are not mixed. Received: "
                f"{self.self_labels:g} with mixup {self.mixup:g} and cutmix {self.cutmix:g}."
            )
        parse_milestones(self.milestones)
        if self.schedule == "plateau" and not (self.validate_every and (self.holdout or self.fold is not None)):
            raise UserError(
                "`schedule` plateau needs held-out images, a fold or a --holdout, and --validate_every of 1 or "
                f"more. Received: fold {_brief(self.fold)}, holdout {self.holdout:g}, validate_every "
                f"{self.validate_every}."
            )
        if self.clip_norm and self.clip_value:
            raise UserError(
                "`clip_norm` or `clip_value` must be 0: the gradient is clipped in one way. "
                f"Received: {self.clip_norm:g} and {self.clip_value:g}."
            )

    @property
    def run(self) -> str:
        """Name of the run: `cnn_0`."""
        return run_name(self.model, self.replica)

    @property
    def pretrained_path(self) -> pathlib.Path:
        """Path that `pretrained` names, for this fold."""
        return pathlib.Path(self.pretrained.replace("{fold}", str(_brief(self.fold))))


def parse_milestones(text: str) -> list[float]:
    """Reads the milestones: `0.5,0.75` gives `[0.5, 0.75]`.

    Raises:
        UserError: If they are no shares of the training, in ascending order.
    """
    try:
        shares = [float(word) for word in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(low < high for low, high in itertools.pairwise([0.0, *shares, 1.0])):
        raise UserError(
            "`milestones` must be shares of the training above 0 and below 1, ascending, such as 0.5,0.75. "
            f"Received: {text!r}."
        )
    return shares


def list_differences(settings: TrainingSettings, recorded: dict) -> list[str]:
    """Says which settings are not those of a record: `["width: 8, not 4"]`; but for `tta`, which trains nothing.

    Args:
        settings: `TrainingSettings`.
        recorded: Dictionary of a member's settings; one that it does not know yet had its default.
    """
    pairs = [
        (field.name, getattr(settings, field.name), recorded.get(field.name, field.default))
        for field in dataclasses.fields(settings)
        if field.name != "tta"
    ]
    pairs = [(name, value, tuple(old) if isinstance(old, list) else old) for name, value, old in pairs]  # of JSON
    return [f"{name}: {_brief(value)}, not {_brief(old)}" for name, value, old in pairs if value != old]


def check_start(settings: TrainingSettings, folder: pathlib.Path) -> None:
    """Raises UserError if a member is to start from itself: --overwrite would remove it before it is read."""
    if settings.pretrained:
        source = settings.pretrained_path.resolve()
        if folder.resolve() in (source, source.parent):
            raise UserError(
                f"{folder} cannot start from itself (--pretrained). Give another --experiments folder."
            )


def _brief(value):
    if value is None or isinstance(value, tuple):
        return fold_name(value)
    return f"{value:g}" if isinstance(value, float) else value


def _check_fold(fold):
    if fold not in (None, *range(FOLDS), *itertools.combinations(range(FOLDS), 2)):
        raise UserError(
            f"`fold` must be 0..{FOLDS - 1}, two of these such as 0,1, or none. Received: {_brief(fold)}."
        )
