"""How to run PromptShield: images, charts, dashboards, alerts. Nothing of the product imports this."""
