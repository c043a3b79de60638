"""Search as values and mathematics: spaces, goals, trials, fronts, hypervolume, halving, predictors."""
