"""Whether a build may go out: its figures held against budgets and against a baseline's, on the devices themselves."""
