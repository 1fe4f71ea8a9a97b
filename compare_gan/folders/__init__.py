"""Folders of images, zipped or not: the files they hold, and the classes and splits they form.

Training, `metrics` and `compare_gan dataset` all find images by these functions, so that a folder
means the same to each. Nothing here imports TensorFlow or Keras.
"""

from compare_gan.folders.arrangement import WHOLE, Arrangement, Split
from compare_gan.folders.arranging import arrange
from compare_gan.folders.checks import check_for_training
from compare_gan.folders.choosing import EVERYTHING, ClassChoice, choose_classes
from compare_gan.folders.finding import find_images
from compare_gan.folders.marks import CLASSES_FILE, classes_text
from compare_gan.folders.names import EXTENSIONS, SPLITS, is_image_name
from compare_gan.folders.splits import check_split, choose_split, divide_path
from compare_gan.folders.storage import Storage, open_storage

__all__ = [
    "CLASSES_FILE",
    "EVERYTHING",
    "EXTENSIONS",
    "SPLITS",
    "WHOLE",
    "Arrangement",
    "ClassChoice",
    "Split",
    "Storage",
    "arrange",
    "check_for_training",
    "check_split",
    "choose_classes",
    "choose_split",
    "classes_text",
    "divide_path",
    "find_images",
    "is_image_name",
    "open_storage",
]
