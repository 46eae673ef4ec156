"""HTTP/1.1 on the wire, in small parts: what is sent, what comes back, and the connection between."""
