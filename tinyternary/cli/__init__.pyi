from .main import commands as commands, main as main
