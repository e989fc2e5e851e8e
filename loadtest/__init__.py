"""Hold thousands of streams against a pod, publish, and check every event of every connection."""
