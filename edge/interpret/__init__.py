"""From detections to facts."""
