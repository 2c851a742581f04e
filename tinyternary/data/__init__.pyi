from .augment.augmentation import (
    AUGMENTATIONS as AUGMENTATIONS,
    Augmentation as Augmentation,
    augmentation as augmentation,
)
from .augment.clahe import clahe as clahe
from .augment.corrupt import (
    CORRUPTIONS as CORRUPTIONS,
    corrupt as corrupt,
    corrupt_dataset as corrupt_dataset,
)
from .batches import (
    Batch as Batch,
    Batches as Batches,
    balanced_order as balanced_order,
    mixup as mixup,
)
from .by_name import NAMES as NAMES, load as load
from .corruptions.medmnist_c import MEDMNIST_C as MEDMNIST_C, medmnist_c as medmnist_c
from .dataset import (
    Dataset as Dataset,
    Split as Split,
    Splits as Splits,
    table as table,
)
from .medmnist.archives import (
    DataFileWarning as DataFileWarning,
    data_root as data_root,
    medmnist as medmnist,
)
from .medmnist.catalog import MEDMNIST as MEDMNIST, MedMNISTSet as MedMNISTSet
from .medmnist.download import download as download
from .medmnist.others import OtherSets as OtherSets, other_sets as other_sets
from .phantoms.smear import PHANTOM_CLASSES as PHANTOM_CLASSES, phantoms as phantoms
from .preprocess import fit_preprocessing as fit_preprocessing
from .similarity import most_similar as most_similar
from .target_probabilities import targets as targets
