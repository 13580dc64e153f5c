"""Where units are trained. Every launcher gives futures."""
