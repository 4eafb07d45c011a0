"""Islands at equal budgets of evaluations: `python -m scripts.lab islands run|report|check`."""
