"""For authors of lessons: building notebooks, and answers put in to test the checks."""
