"""The hot path's own HTTP/1.1 client: kept-alive connections, and answers read by llhttp."""
