from .main import commands as commands
from .main import main as main
