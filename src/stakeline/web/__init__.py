"""What both services' HTTP sides share: strict bodies, problems, observation, docs, serving."""
