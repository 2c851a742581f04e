"""Arrays to train on: embedded phantoms, MedMNIST files, augmentation, corruptions, batches.

Knows nothing of gradients or networks; everything here is NumPy in, NumPy out.
"""

from tinyternary.data.augment import AUGMENTATIONS, Augmentation, augmentation
from tinyternary.data.batches import Batches, balanced_order, mixup
from tinyternary.data.blood_smear import PHANTOM_CLASSES, phantoms
from tinyternary.data.catalogue import MEDMNIST, MedMNISTSet
from tinyternary.data.clahe import clahe
from tinyternary.data.corrupt import CORRUPTIONS, corrupt, corrupt_dataset
from tinyternary.data.dataset import Dataset, Split, Splits
from tinyternary.data.download import download
from tinyternary.data.medmnist_files import DataFileWarning, data_root, medmnist
from tinyternary.data.preprocess import fit_preprocessing
from tinyternary.data.similarity import most_similar
from tinyternary.data.sources import NAMES, load

__all__ = [
    "AUGMENTATIONS",
    "CORRUPTIONS",
    "MEDMNIST",
    "NAMES",
    "PHANTOM_CLASSES",
    "Augmentation",
    "Batches",
    "DataFileWarning",
    "Dataset",
    "MedMNISTSet",
    "Split",
    "Splits",
    "augmentation",
    "balanced_order",
    "clahe",
    "corrupt",
    "corrupt_dataset",
    "data_root",
    "download",
    "fit_preprocessing",
    "load",
    "medmnist",
    "mixup",
    "most_similar",
    "phantoms",
]
