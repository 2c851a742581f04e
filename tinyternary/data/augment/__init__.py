"""Random changes to images that leave their label alone, and damage that real ones have."""
