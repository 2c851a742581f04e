"""The packed file: container, header, reader, writer (lesson 10)."""
