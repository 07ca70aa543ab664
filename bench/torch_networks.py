"""The two networks of `fer_ensemble.models`, written in PyTorch for bench/train_step.py."""

from torch import nn
from torch.nn import functional


def convolution(inputs, filters, kernel_size=3):
    """Convolution without bias and batch normalisation; the activation is the caller's."""
    return nn.Sequential(
        nn.Conv2d(inputs, filters, kernel_size, padding=kernel_size // 2, bias=False),
        nn.BatchNorm2d(filters),
    )


class ResidualBlock(nn.Module):
    def __init__(self, inputs, filters):
        super().__init__()
        self.shortcut = nn.Identity() if inputs == filters else convolution(inputs, filters, kernel_size=1)
        self.first = convolution(inputs, filters)
        self.second = convolution(filters, filters)

    def forward(self, features):
        found = self.second(functional.relu(self.first(features), inplace=True))
        return functional.relu(found + self.shortcut(features), inplace=True)


def build_cnn(width, classes, dropout=0.2):
    layers, inputs = [], 1
    for convolutions, multiple in ((4, 1), (3, 2), (2, 4)):
        for _ in range(convolutions):
            layers += [convolution(inputs, multiple * width), nn.ReLU(inplace=True)]
            inputs = multiple * width
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    inputs *= 6 * 6
    for multiple in (8, 4):
        layers += [nn.Dropout(dropout), nn.Linear(inputs, multiple * width, bias=False)]
        layers += [nn.BatchNorm1d(multiple * width), nn.ReLU(inplace=True)]
        inputs = multiple * width
    return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(inputs, classes))


def build_resnet(width, classes, dropout=0.2):
    layers, inputs = [convolution(1, width), nn.ReLU(inplace=True)], width
    for group, multiple in enumerate((1, 2, 4, 8)):
        if group:
            layers.append(nn.MaxPool2d(2))
        layers += [ResidualBlock(inputs, multiple * width), ResidualBlock(multiple * width, multiple * width)]
        inputs = multiple * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(inputs, classes)]
    return nn.Sequential(*layers)


def build(model, width, classes):
    return {"cnn": build_cnn, "resnet": build_resnet}[model](width, classes)
