"""Files of images in, bytes of the network's size and colours out: one module per family."""
