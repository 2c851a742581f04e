"""Export to C99, for a microcontroller or any other machine with a compiler (lesson 10)."""
