"""Arrays to train on: embedded phantoms, MedMNIST files, augmentation, corruptions, batches.

Knows nothing of gradients or networks; everything here is NumPy in, NumPy out.
"""

from tinyternary.data.blood_smear import PHANTOM_CLASSES, phantoms
from tinyternary.data.catalogue import MEDMNIST, MedMNISTSet
from tinyternary.data.dataset import Dataset, Split, Splits
from tinyternary.data.medmnist_files import DataFileWarning, data_root, medmnist
from tinyternary.data.preprocess import fit_preprocessing
from tinyternary.data.sources import NAMES, load

__all__ = [
    "MEDMNIST",
    "NAMES",
    "PHANTOM_CLASSES",
    "DataFileWarning",
    "Dataset",
    "MedMNISTSet",
    "Split",
    "Splits",
    "data_root",
    "fit_preprocessing",
    "load",
    "medmnist",
    "phantoms",
]
