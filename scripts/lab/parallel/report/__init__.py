"""Report on the comparison, as Markdown and plots: everything is derived from rows, nothing from anything else."""
