"""Where the configuration `bundled` lies, which ships prepared."""

import pathlib

# TFDS's data_dir of it.
BUNDLED_DIR = pathlib.Path(__file__).with_name('bundled')
