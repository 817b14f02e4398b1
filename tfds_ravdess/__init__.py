"""RAVDESS as a TensorFlow data set, with the features already computed.

Importing this package imports nothing heavy. `import
tfds_ravdess.ravdess_dataset_builder` registers the data set with TFDS.
"""

import pathlib

# The data_dir of the configuration `bundled`, which ships prepared.
BUNDLED_DIR = pathlib.Path(__file__).with_name('bundled')
