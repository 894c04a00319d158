"""One asynchronous store for everything an LLM-agent application must remember."""
