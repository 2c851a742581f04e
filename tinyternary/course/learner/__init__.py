"""What a learner's notebook calls: checks, hints, predictions, and what they solved so far."""
