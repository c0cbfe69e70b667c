"""A model behind an OpenAI-compatible API: it answers plausibly, or as it was told to."""

#: The API in usage and faults.
OPENAI_API = "openai"
#: The key that is there from the start, public on purpose.
AI_API_KEY = "sk-sandbox-public-on-purpose"
#: What its models are called; any other is refused as the real API does.
AI_MODELS = ("sandbox-1", "sandbox-2")
