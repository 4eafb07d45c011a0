"""What rows show, as Markdown and plots: everything is derived from rows, and nothing from anything else."""
