"""What is looked for beside what ships: operators' signatures and attacks, tenants' heads."""
