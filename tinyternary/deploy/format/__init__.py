"""The packed file: header, reader, writer (lesson 10); `tinyternary.container` is around it."""
