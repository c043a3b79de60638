"""What every training shares, whatever the framework: the job, the order of the samples, the checkpoint."""
