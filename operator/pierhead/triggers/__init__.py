"""EventTrigger: objects of ours from uploads, events and schedules."""
