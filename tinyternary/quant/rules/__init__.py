"""The rules that make trits of weights, each whole in its file (lessons 01 and 04)."""
