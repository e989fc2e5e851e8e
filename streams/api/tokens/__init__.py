"""What the API does about tokens: which of them may publish, which are revoked, and which lanes have none."""
