"""The LLM services behind us: who serves a model, who is well, and how an answer is read."""
