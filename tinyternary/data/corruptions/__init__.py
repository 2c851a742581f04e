"""MedMNIST-C's corruptions: light, noise, blur, storage, and marks on the slide (lesson 11).

Each is a function ``(x, amount, rng)`` of one image x (H, W, 3) uint8 that returns another.
"""
