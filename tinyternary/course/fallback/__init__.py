"""What a learner's notebook goes on with while an exercise is unsolved, one module a lesson.

Each name is that of the function the exercise asks for. Where the library has it,
it is the library's; the others are written here, over the library where that helps.
"""
