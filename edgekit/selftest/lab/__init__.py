"""What the experiments share: agents in processes of their own, injected faults, broken links, small disks."""
