"""What runs inside mitmproxy, in its environment and not in ours."""
