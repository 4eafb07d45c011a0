"""When do islands help? `python -m scripts.lab.islands.equal_budgets run|report`."""
