"""What a network used for its answer, as maps of its images, and tests of such maps (lesson 11).

A map says what the network used, not what a lesion is; and it says even that only as far as it
passes the tests.

    trace          attention weights with their gradients, and the input's, of one class
    rollout        the attention's shares followed through the blocks
    relevance      the same with shares weighted by the gradient
    pixels         from numbers per token to numbers per pixel
    maps           `explain`: the methods by name, from images to maps
    faithfulness   deletion and insertion: does the answer hang on what the map says it does?
    sanity         does the map change where the weights are scrambled?
    agreement      do two networks' maps of an image have more in common than any two maps?
"""
