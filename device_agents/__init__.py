"""Programs that run on devices; they import neither edgekit nor any third party."""
