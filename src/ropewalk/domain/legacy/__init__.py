"""What the JSON of the legacy program means: its fields as our entities, and the way back."""
