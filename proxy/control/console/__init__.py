"""The console: pages for security teams, rendered by the server. What they show and do is what `perform` lets them."""
