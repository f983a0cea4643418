"""Programs written for torch, run with torch's schedulers and with the drop-ins."""
