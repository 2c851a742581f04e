from .story import run_demo as run_demo
from .table import comparison_rows as comparison_rows, summary as summary
