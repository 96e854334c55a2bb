"""The chat on the web: a WebSocket, an API in JSON, and a stream of events."""
