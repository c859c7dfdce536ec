"""What tests of augmentation share."""

from corruptlab.training._transforms import Augmentation

ALL = Augmentation(
    random_crop=True, flip=True, rotation=25, brightness=0.2, saturation=0.5, hue=0.1
)
EACH = [
    Augmentation(random_crop=True),
    Augmentation(flip=True),
    Augmentation(rotation=180),
    Augmentation(brightness=0.5),
    Augmentation(saturation=0.9),
    Augmentation(hue=0.5),
]
IDS = ["random_crop", "flip", "rotation", "brightness", "saturation", "hue"]
