"""The twelve 2D sets of MedMNIST v2: catalog, official files, download."""
