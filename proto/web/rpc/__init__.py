"""Functions that programs call over HTTP: JSON-RPC 2.0 and XML-RPC from one registry."""
