from .augment.augmentation import (
    AUGMENTATIONS as AUGMENTATIONS,
)
from .augment.augmentation import (
    Augmentation as Augmentation,
)
from .augment.augmentation import (
    augmentation as augmentation,
)
from .augment.clahe import clahe as clahe
from .augment.corrupt import (
    CORRUPTIONS as CORRUPTIONS,
)
from .augment.corrupt import (
    corrupt as corrupt,
)
from .augment.corrupt import (
    corrupt_dataset as corrupt_dataset,
)
from .batches import Batch as Batch
from .batches import Batches as Batches
from .batches import balanced_order as balanced_order
from .batches import mixup as mixup
from .dataset import Dataset as Dataset
from .dataset import Split as Split
from .dataset import Splits as Splits
from .medmnist.catalog import MEDMNIST as MEDMNIST
from .medmnist.catalog import MedMNISTSet as MedMNISTSet
from .medmnist.download import download as download
from .medmnist.files import (
    DataFileWarning as DataFileWarning,
)
from .medmnist.files import (
    data_root as data_root,
)
from .medmnist.files import (
    medmnist as medmnist,
)
from .phantoms.smear import PHANTOM_CLASSES as PHANTOM_CLASSES
from .phantoms.smear import phantoms as phantoms
from .preprocess import fit_preprocessing as fit_preprocessing
from .similarity import most_similar as most_similar
from .sources import NAMES as NAMES
from .sources import load as load
from .targets import targets as targets
