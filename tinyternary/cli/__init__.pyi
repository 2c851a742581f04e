from .app import app as app
from .main import main as main
