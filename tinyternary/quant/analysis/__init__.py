"""What quantisation does to a network: microscope, sensitivity, search (lessons 04 and 06)."""
