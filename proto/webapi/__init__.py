"""The JSON API in the web's tree: tasks and users, their OpenAPI document, and its page."""
