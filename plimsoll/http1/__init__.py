"""An HTTP/1.1 client for gevent, without Locust: `HttpClient` sends, `ClientSettings` says how."""
